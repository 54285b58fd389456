import type { Fault } from './json';

/**
 * Finds the parts of a text that `JSON.parse` drops or changes: keys that an object has twice, and numbers that a double
 * does not hold.
 * @param text valid JSON of bounded depth; the scan checks neither
 */
export function textFaults(text: string, limit: number): Fault[] {
  const reader = new TextReader(text, limit);
  reader.value();
  return reader.faults;
}

/** Writes the keys and indexes from the root to a value as a JSON pointer (RFC 6901), such as `/payload/lines/0`. */
export function jsonPointer(path: readonly (string | number)[]): string {
  return path.map((key) => `/${String(key).replace(/~/g, '~0').replace(/\//g, '~1')}`).join('');
}

const SPACE = /[ \t\r\n]*/y;
const SCALAR = /[-+.\w]+/y;
const MAX_SHOWN = 40;

class TextReader {
  readonly faults: Fault[] = [];
  private at = 0;
  private readonly path: (string | number)[] = [];

  constructor(
    private readonly text: string,
    private readonly limit: number,
  ) {}

  value(): void {
    this.skipSpace();
    const first = this.text[this.at];
    if (first === '{') this.members('}');
    else if (first === '[') this.members(']');
    else if (first === '"') this.string();
    else this.scalar();
    this.skipSpace();
  }

  /** Reads an object or an array, including its closing bracket. */
  private members(end: '}' | ']'): void {
    const known = end === '}' ? new Map<string, number>() : undefined;
    this.step();
    for (let index = 0; this.text[this.at] !== end; index += 1) {
      this.path.push(known ? this.key(known) : index);
      this.value();
      this.path.pop();
      if (this.text[this.at] === ',') this.step();
    }
    this.at += 1;
  }

  private key(known: Map<string, number>): string {
    const key = JSON.parse(this.string()) as string;
    this.skipSpace();
    // Skips the colon.
    this.step();
    const times = (known.get(key) ?? 0) + 1;
    known.set(key, times);
    if (times === 2) this.add('is given twice', 'once', key);
    return key;
  }

  private string(): string {
    const from = this.at;
    let end = this.text.indexOf('"', from + 1);
    while (this.isEscaped(end)) end = this.text.indexOf('"', end + 1);
    this.at = end + 1;
    return this.text.slice(from, this.at);
  }

  /** An odd number of backslashes escapes the quote after it. */
  private isEscaped(quote: number): boolean {
    let before = quote - 1;
    while (this.text[before] === '\\') before -= 1;
    return (quote - before) % 2 === 0;
  }

  private scalar(): void {
    SCALAR.lastIndex = this.at;
    const [token = ''] = SCALAR.exec(this.text) ?? [];
    this.at += token.length;
    if (!/^[-\d]/.test(token)) return;
    const changed = changedTo(token);
    if (changed === undefined) return;
    const advice = changed === '0' ? 'it is too small for a number' : 'send it as a string';
    this.add(`is ${shortened(token)} and would arrive as ${changed}: ${advice}`, 'exact');
  }

  private add(message: string, rule: string, key?: string): void {
    if (this.faults.length >= this.limit) return;
    const path = key === undefined ? this.path : [...this.path, key];
    this.faults.push({ path: jsonPointer(path), message, rule });
  }

  private step(): void {
    this.at += 1;
    this.skipSpace();
  }

  private skipSpace(): void {
    SPACE.lastIndex = this.at;
    this.at += SPACE.exec(this.text)?.[0].length ?? 0;
  }
}

/**
 * The number that a receiver would get, if it is another one than was sent. Fractions may be rounded, as every program
 * that reads JSON into doubles rounds them. Whole numbers are often ids and must stay exact, and nothing may become 0.
 */
function changedTo(token: string): string | undefined {
  const value = Number(token);
  const written = String(value);
  if (written === token) return undefined;
  const sent = decimalOf(token);
  if (value === 0) return sent.digits === '' ? undefined : written;
  if (sent.exponent < 0) return undefined;
  // Plain digits must come out as plain digits: many readers take `1e+21` for a fraction.
  if (/^-?\d+$/.test(token)) return written;
  const again = decimalOf(written);
  return again.digits === sent.digits && again.exponent === sent.exponent ? undefined : written;
}

/** Digits x 10^exponent without zeros at either end, so that equal numbers compare equal in any spelling. */
function decimalOf(token: string): { digits: string; exponent: number } {
  const [mantissa = '', power = '0'] = token.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const all = (whole + fraction).replace(/^0+/, '');
  let end = all.length;
  // The regular expression `0+$` would take quadratic time on many zeros.
  while (all[end - 1] === '0') end -= 1;
  const digits = all.slice(0, end);
  return { digits, exponent: Number(power) - fraction.length + all.length - digits.length };
}

function shortened(token: string): string {
  return token.length > MAX_SHOWN ? `${token.slice(0, MAX_SHOWN)}...` : token;
}
