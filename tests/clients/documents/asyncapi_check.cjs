// Prints what AsyncAPI's own parser finds wrong with a document: a line each; none for a valid one.
"use strict";

const { readFileSync } = require("node:fs");
const { Parser } = require("@asyncapi/parser");

new Parser().parse(readFileSync(process.argv[2], "utf8")).then(({ diagnostics }) => {
  for (const { code, path, message } of diagnostics) console.log(code, path.join("."), message);
});
