/** A search as curl, Python or SQL, to be taken elsewhere. */

/** @param {string} text */
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * @param {string} kind `curl`, `python` or `sql`
 * @param {{method: string, body: any, collection: string, origin: string}} search
 * @returns {string} a text, or a sentence that says why there is none
 */
export function snippet(kind, { method, body, collection, origin }) {
  const shown = JSON.parse(JSON.stringify(body, (key, value) => (key === "_base64" ? "…the picture's bytes in Base64…" : value)));
  if (kind === "curl") {
    return [`curl -s ${origin}/v2/${method}`, "-H 'Authorization: Token YOUR_API_TOKEN'", `-H ${quoted(`collection-id: ${collection}`)}`,
      "-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(shown))}`].join(" \\\n  ");
  }
  if (kind === "python") {
    const json = JSON.stringify(JSON.stringify(shown));
    return `import json\nimport requests\n\nanswer = requests.post(\n    ${JSON.stringify(`${origin}/v2/${method}`)},\n    headers={"Authorization": "Token YOUR_API_TOKEN", "collection-id": ${JSON.stringify(collection)}},\n    json=json.loads(${json}),\n).json()\nfor record in answer["answer_records"]:\n    print(record["_id"])`;
  }
  return sql(method, body, collection);
}

/** @param {string} text */
const literal = (text) => `'${text.replaceAll("'", "''")}'`;

/** @param {string} method @param {any} body @param {string} collection */
function sql(method, body, collection) {
  const filter = body.filter ? literal(JSON.stringify(body.filter)) : "";
  if (method === "find") {
    return `SELECT r.id, r.attributes\nFROM lookalike.records AS r\nWHERE r.collection_id = (SELECT id FROM lookalike.collections WHERE name = ${literal(collection)})${filter ? `\n  AND lookalike.matches(r.attributes, ${filter}, r.id)` : ""}\nORDER BY r.id\nLIMIT 60;`;
  }
  const id = body.query_record?._id;
  if (method !== "visualKNN" || id === undefined) return "-- SQL searches by one stored record; this search begins with a picture, or with several examples.";
  return body.radius === undefined
    ? `SELECT id, distance FROM lookalike.knn(${literal(collection)}, ${literal(id)}, 60${filter ? `, ${filter}` : ""});`
    : `SELECT id, distance FROM lookalike.within(${literal(collection)}, ${literal(id)}, ${body.radius}${filter ? `, ${filter}` : ""});`;
}
