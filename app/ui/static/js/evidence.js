/** What holds a group together: direct pairs, chains, and the weakest link. */

/**
 * @typedef {{one: string, other: string, distance: number, hash_distance: number | null, same_file: boolean}} Pair
 * @typedef {{members: string[], size: number, weakest: number, widest: number, complete: boolean, decision: number | null,
 *   newest: string | null, suggestion: string | null, reason: string | null, records: any[], pairs: Pair[]}} Group
 */

/** A pair lies at the lesser of its distances. @param {Pair} pair */
export const near = (pair) => Math.min(pair.distance, pair.hash_distance ?? Infinity);

/** @param {Group} group @param {string} one @param {string} other */
export const direct = (group, one, other) => group.pairs.find((pair) => (pair.one === one && pair.other === other) || (pair.one === other && pair.other === one));

/**
 * The way from one record to another whose farthest pair is nearest; null where the known pairs do not lead there.
 * @param {Group} group @param {string} from @param {string} to
 * @returns {{through: string[], weakest: number} | null}
 */
export function way(group, from, to) {
  /** @type {Map<string, {cost: number, before: string}>} */
  const best = new Map([[from, { cost: 0, before: "" }]]);
  const open = new Set([from]);
  while (open.size) {
    const at = [...open].reduce((a, b) => (best.get(a)?.cost ?? 0) <= (best.get(b)?.cost ?? 0) ? a : b);
    open.delete(at);
    if (at === to) break;
    for (const pair of group.pairs) {
      const next = pair.one === at ? pair.other : pair.other === at ? pair.one : "";
      const cost = Math.max(best.get(at)?.cost ?? 0, near(pair));
      if (next && cost < (best.get(next)?.cost ?? Infinity)) { best.set(next, { cost, before: at }); open.add(next); }
    }
  }
  if (!best.has(to)) return null;
  const through = [];
  for (let at = best.get(to)?.before; at && at !== from; at = best.get(at)?.before) through.unshift(at);
  return { through, weakest: best.get(to)?.cost ?? 0 };
}

/** The pair without which the group falls apart. @param {Group} group */
export const weakestLink = (group) => group.pairs.find((pair) => Math.abs(near(pair) - group.weakest) < 1e-9 && bridges(group, pair))
  ?? group.pairs.find((pair) => Math.abs(near(pair) - group.weakest) < 1e-9);

/** @param {Group} group @param {Pair} pair */
function bridges(group, pair) {
  const found = way({ ...group, pairs: group.pairs.filter((one) => one !== pair) }, pair.one, pair.other);
  return !found || found.weakest >= near(pair);
}

/** By what a pair is known, in words. @param {Pair} pair */
export function told(pair) {
  if (pair.same_file) return "same file";
  const by = pair.hash_distance !== null && pair.hash_distance < pair.distance ? " by hash" : "";
  return `${near(pair).toFixed(1)}${by}`;
}

/**
 * Which records are kept unless somebody says otherwise: the suggested one, and those that do not look like it themselves.
 * @param {Group} group
 */
export function proposal(group) {
  const keeper = group.suggestion ?? group.members[0];
  const apart = group.complete ? [] : group.members.filter((one) => one !== keeper && !direct(group, keeper, one));
  return new Set([keeper, ...apart]);
}
