import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync } from 'node:fs';
import { LocalRuntimeError } from './errors';
import { expand, type Lookup, ValueError } from './interpolation';

const NAME = /[A-Za-z_][A-Za-z0-9_.-]*/y;
const EXPORT = /export[ \t]+/y;
const SPACE = /[ \t\r\v\f\u0085\u00a0]*/y;
const BLANK = /(?:\s+|#[^\n]*)*/y;
const LINE = /[^\n]*/y;
/** The escapes of double quotes; a backslash before anything else stays. */
const ESCAPE = /\\(?:([abfnrtv\\$])|0([0-3][0-7]{2}))/g;
const ESCAPED: Record<string, string> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\' },
  // Interpolation, the next step, turns two into one.
  $: '$$',
};

/**
 * Reads an env file as Docker Compose does, so that the same file means the same there and here.
 * @param environment overrides the file where values refer to other variables
 * @throws LocalRuntimeError with one line that names file, line and variable, but no value, which may be a secret
 */
export function readEnvFile(path: string, environment: NodeJS.ProcessEnv): Record<string, string> {
  if (!existsSync(path)) return {};
  const bytes = readFileSync(path);
  if (!isUtf8(bytes)) throw new LocalRuntimeError(`${path} is not UTF-8: save it as UTF-8.`);
  try {
    return parseEnvFile(bytes.toString('utf8'), (name) => environment[name]);
  } catch (error) {
    if (error instanceof EnvSyntaxError) throw new LocalRuntimeError(`${path} ${error.message}`);
    throw error;
  }
}

/** @throws EnvSyntaxError */
export function parseEnvFile(text: string, environment: Lookup): Record<string, string> {
  return new EnvReader(text.replace(/^\ufeff/, ''), environment).read();
}

export class EnvSyntaxError extends Error {
  override readonly name = 'EnvSyntaxError';
}

class EnvReader {
  private readonly values = new Map<string, string>();
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly environment: Lookup,
  ) {}

  read(): Record<string, string> {
    for (this.take(BLANK); this.at < this.text.length; this.take(BLANK)) this.statement();
    return Object.fromEntries(this.values);
  }

  private statement(): void {
    const start = this.at;
    this.take(EXPORT);
    const name = this.take(NAME);
    this.take(SPACE);
    const next = this.text[this.at];
    if (!name) throw this.syntaxError(start, 'a line must begin with the name of a variable');
    // A name alone takes its value from the environment, which has it already.
    if (next === undefined || next === '\n') return;
    if (next !== '=' && next !== ':')
      throw this.syntaxError(start, `${name} must be followed by "=" and its value`);
    this.at += 1;
    const spaces = this.take(SPACE);
    try {
      this.values.set(name, this.value(spaces));
    } catch (error) {
      if (error instanceof ValueError) throw this.syntaxError(start, `${name} ${error.message}`);
      throw error;
    }
  }

  private value(spaces: string): string {
    const first = this.text[this.at];
    const value = first === '"' || first === "'" ? this.quoted(first) : this.unquoted(spaces);
    if (value.includes('\0'))
      throw new ValueError('contains a NUL character, which an environment cannot hold');
    return value;
  }

  private unquoted(spaces: string): string {
    const line = this.take(LINE);
    // Compose would read this comment as the value.
    if (spaces && line.startsWith('#'))
      throw new ValueError('has a comment instead of a value: quote the value');
    const [value = ''] = line.split(' #', 1);
    return expand(value.trimEnd(), this.lookup);
  }

  private quoted(quote: string): string {
    let value = '';
    for (this.at += 1; this.text[this.at] !== quote; this.at += 1) {
      const char = this.text[this.at];
      if (char === undefined) throw new ValueError(`has no closing ${quote}`);
      const next = this.text[this.at + 1];
      if (char === '\\' && (next === quote || next === '\\')) {
        this.at += 1;
        value += next === quote ? next : '\\\\';
      } else value += char;
    }
    this.at += 1;
    this.take(SPACE);
    const behind = this.text[this.at];
    if (behind !== undefined && behind !== '\n' && behind !== '#')
      throw new ValueError('has text after its closing quote');
    return quote === "'" ? value : expand(unescaped(value), this.lookup);
  }

  private readonly lookup: Lookup = (name) => this.environment(name) ?? this.values.get(name);

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const [found = ''] = pattern.exec(this.text) ?? [];
    this.at += found.length;
    return found;
  }

  private syntaxError(at: number, message: string): EnvSyntaxError {
    const line = this.text.slice(0, at).split('\n').length;
    return new EnvSyntaxError(`line ${line}: ${message}.`);
  }
}

function unescaped(text: string): string {
  return text.replace(ESCAPE, (_, letter: string | undefined, octal: string) =>
    letter === undefined ? String.fromCharCode(parseInt(octal, 8)) : ESCAPED[letter]!,
  );
}
