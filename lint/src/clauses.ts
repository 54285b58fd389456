/** A piece of prose with the line it starts on: a comment, a paragraph, a list item, a table cell, a message. */
export interface Block {
  text: string;
  line: number;
}

export interface Clause {
  text: string;
  line: number;
  inverted: boolean;
}

/** Fragments with fewer words ("default 50", "null when absent") do not count. */
const MIN_WORDS = 3;

/** A sentence ends before a capital, a digit or a quotation, so that "e.g. this" stays whole; `:` and `;` always split. */
const CLAUSE_END = /[.!?](?=["')\]*]*\s+["'(*[]*[A-Z0-9`])|[:;](?=\s)/g;

/** Openers that make a reader wait for the verb. The subject should come first, named (see the tests for examples). */
const INVERTED: readonly RegExp[] = [
  /^(who|whom|whose|whoever|whomever|whichever|whatever)\b/,
  /^what\b/,
  /^of (?!course\b)/,
  /^(as|so) (many|much|few|little|large|small)\b/,
  /^so (long|often|soon|far)\b(?! as)/,
  /^should (?:the|an?|it|they|he|she|we|one|two|any|both|none|nobody|somebody|someone|there|this|that|these|those)\b/,
  /^(one|those|these|that) (that|who|whom|whose|which|without)\b/,
  /^(that|those) (of|in|from|at)\b/,
  /^(for|to|from|by|with|in|on|at|behind|about|only|until|than) (who|whom|whose|whoever|what|whatever|those who)\b/,
];

/** Splits a block into clauses. A question may open with "who" or "what". */
export function clausesOf({ text, line }: Block): Clause[] {
  const clauses: Clause[] = [];
  let from = 0;
  for (const end of [...[...text.matchAll(CLAUSE_END)].map(({ index }) => index + 1), text.length]) {
    const raw = text.slice(from, end);
    const start = from + (raw.length - raw.trimStart().length);
    const clause = raw.trim();
    from = end;
    if (clause.split(/\s+/).length < MIN_WORDS) continue;
    const at = line + (text.slice(0, start).match(/\n/g) ?? []).length;
    clauses.push({ text: clause.replace(/\s+/g, ' '), line: at, inverted: isInverted(clause) });
  }
  return clauses;
}

function isInverted(clause: string): boolean {
  if (clause.endsWith('?')) return false;
  const opener = clause.replace(/^[^\p{L}\p{N}`]+/u, '').toLowerCase();
  return INVERTED.some((pattern) => pattern.test(opener));
}
