export type Lookup = (name: string) => string | undefined;

/** A wrong value. The message continues a sentence that begins with the name of the variable. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}

const REFERENCE = /^[A-Za-z_][A-Za-z0-9_]*/;
const OPERATOR = /^:?[-+?]/;

/**
 * Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+other}` and `${NAME:?message}`, with and without the colon,
 * as Docker Compose does; `$$` is a `$`. Unlike Compose, an unset variable without a default is an error, because a
 * password with a `$` in it would silently lose the part behind it.
 * @throws ValueError
 */
export function expand(text: string, lookup: Lookup): string {
  let result = '';
  let rest = text;
  for (let at = rest.indexOf('$'); at >= 0; at = rest.indexOf('$')) {
    result += rest.slice(0, at);
    rest = rest.slice(at + 1);
    const name = REFERENCE.exec(rest)?.[0];
    if (rest.startsWith('{')) {
      const end = closingBrace(rest);
      result += braced(rest.slice(1, end), lookup);
      rest = rest.slice(end + 1);
    } else if (name) {
      result += valueOf(name, lookup);
      rest = rest.slice(name.length);
    } else {
      result += '$';
      if (rest.startsWith('$')) rest = rest.slice(1);
    }
  }
  return result + rest;
}

function braced(text: string, lookup: Lookup): string {
  const name = REFERENCE.exec(text)?.[0];
  const rest = text.slice(name?.length ?? 0);
  if (name && rest === '') return valueOf(name, lookup);
  const operator = OPERATOR.exec(rest)?.[0];
  if (!name || !operator) throw new ValueError('has a "${" that refers to no variable: quote it with \'');
  const word = rest.slice(operator.length);
  const value = lookup(name);
  const given = value !== undefined && !(operator.startsWith(':') && value === '');
  if (operator.endsWith('+')) return given ? expand(word, lookup) : '';
  if (given) return value;
  if (operator.endsWith('?')) throw new ValueError(`needs the variable ${name}${word && `: ${word}`}`);
  return expand(word, lookup);
}

function valueOf(name: string, lookup: Lookup): string {
  const value = lookup(name);
  if (value !== undefined) return value;
  throw new ValueError(
    `refers to $${name}, which is not set: quote the value with ' if the "$" belongs to it`,
  );
}

/** @param text begins with the opening brace */
function closingBrace(text: string): number {
  let open = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '{') open += 1;
    else if (text[at] === '}' && (open -= 1) === 0) return at;
  }
  throw new ValueError('has a "${" without "}"');
}
