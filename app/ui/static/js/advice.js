/** What is said of the log of searches, by which indexes are advised. */

import { number } from "./dom.js";

/**
 * Say what the log holds, and that nothing comes in where that is so: searches of before stay in it.
 * @param {{searches: number, logged: boolean}} told how many searches with a filter are in the log, and whether searches are logged now
 * @param {number} found how many indexes are advised
 */
export function aboutLog({ searches, logged }, found) {
  if (!searches) return logged ? "No search with a filter was logged yet." : "Searches are not logged: LOOKALIKE_LOG_SEARCHES=true has the server keep the latest.";
  const held = `${number(searches)} ${searches === 1 ? "search" : "searches"} with a filter in the log`;
  const means = found ? `This is by ${held}.` : `By ${held}, no other index would help much.`;
  return logged ? means : `${means} Searches are not logged now: these are of before.`;
}
