/** The operations of OpenAPI documents: what each is called, takes, and needs; and a body to begin with. */

/**
 * @typedef {{
 *   id: string, group: string, title: string, verb: string, servers: string[], path: string, summary: string, description: string,
 *   parameters: {name: string, in: string, required: boolean, description: string, example: string}[],
 *   body: any, media: string[], schema: any, scope: string, document: any
 * }} Operation
 */

/**
 * @param {string} name what the document is about
 * @param {any} document
 * @returns {Operation[]}
 */
export function operationsOf(name, document) {
  const found = [];
  for (const [path, ways] of Object.entries(document.paths)) {
    for (const [verb, raw] of Object.entries(ways)) {
      const one = /** @type {any} */ (raw);
      if (!["get", "post", "put", "patch", "delete"].includes(verb)) continue;
      const answers = Object.keys(one.responses?.["200"]?.content ?? {});
      if (answers.includes("text/event-stream")) continue; // it has no end to wait for
      const content = resolved(one.requestBody, document)?.content ?? {};
      const json = content["application/json"];
      found.push({
        id: `${name}:${one.operationId}`, group: name === "search" ? one.tags?.[0] ?? name : name, title: one.operationId, verb: verb.toUpperCase(),
        servers: (document.servers ?? [{ url: "" }]).map((/** @type {any} */ server) => server.url), path, summary: one.summary ?? "", description: one.description ?? one.summary ?? "",
        parameters: (one.parameters ?? []).map((/** @type {any} */ given) => resolved(given, document)).map((/** @type {any} */ given) => ({
          name: given.name, in: given.in, required: Boolean(given.required), description: given.description ?? "", example: given.example === undefined ? "" : String(given.example) })),
        body: json ? json.example ?? Object.values(json.examples ?? {})[0]?.value ?? sample(json.schema, document) : undefined,
        media: Object.keys(content), schema: json?.schema, document,
        scope: /Needs a token that may (\w+)/.exec(one.description ?? "")?.[1] ?? "read",
      });
    }
  }
  return found;
}

/** Follow a reference within a document. @param {any} given @param {any} document @returns {any} */
export function resolved(given, document) {
  let now = given;
  for (let depth = 0; now?.$ref && depth < 10; depth++) now = now.$ref.slice(2).split("/").reduce((/** @type {any} */ at, /** @type {string} */ key) => at?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], document);
  return now;
}

/** A value that a schema takes, with what must be there alone. @param {any} schema @param {any} document @param {number} [depth] @returns {any} */
export function sample(schema, document, depth = 0) {
  const one = resolved(schema, document) ?? {};
  if (one.example !== undefined) return one.example;
  if (one.examples?.length) return one.examples[0];
  if (one.default !== undefined) return one.default;
  if (one.const !== undefined) return one.const;
  if (one.enum) return one.enum[0];
  const choice = one.anyOf ?? one.oneOf ?? one.allOf;
  if (choice && depth < 6) return sample(choice.find((/** @type {any} */ part) => part.type !== "null") ?? choice[0], document, depth + 1);
  const kind = Array.isArray(one.type) ? one.type.find((/** @type {string} */ part) => part !== "null") : one.type;
  if (kind === "array") return one.minItems && depth < 6 ? [sample(one.items, document, depth + 1)] : [];
  if (kind === "string") return "";
  if (kind === "boolean") return false;
  if (kind === "integer" || kind === "number") return Math.max(one.minimum ?? 0, 0);
  if (depth >= 6) return {};
  return Object.fromEntries((one.required ?? []).map((/** @type {string} */ name) => [name, sample(one.properties?.[name], document, depth + 1)]));
}

/** The properties of a body. @param {Operation} operation @returns {{name: string, kind: string, required: boolean, description: string, schema: any}[]} */
export function fieldsOf(operation) {
  const whole = resolved(operation.schema, operation.document);
  return Object.entries(whole?.properties ?? {}).map(([name, raw]) => {
    const given = /** @type {any} */ (raw);
    const one = resolved(given, operation.document);
    const kinds = [one?.type ?? (one?.anyOf ?? []).map((/** @type {any} */ part) => resolved(part, operation.document)?.type)].flat(2).filter((part) => part && part !== "null");
    return { name, kind: [...new Set(kinds)].join(" or "), required: (whole.required ?? []).includes(name), description: given.description ?? one?.description ?? "", schema: given };
  });
}
