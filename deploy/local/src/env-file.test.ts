import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnvFile, readEnvFile } from './env-file';

const ENVIRONMENT: Record<string, string> = { FROM_SHELL: 'shell', EMPTY: '', BOTH: 'shell' };
const parse = (text: string): Record<string, string> => parseEnvFile(text, (name) => ENVIRONMENT[name]);

describe('a value means the same as in Docker Compose', () => {
  test.each([
    ['A=abc#def', 'abc#def'],
    ['A=abc #def', 'abc'],
    ['A=abc # def # ghi', 'abc'],
    ['A=#abc', '#abc'],
    ['A=abc  \t', 'abc'],
    ['A =  abc', 'abc'],
    ['A: abc', 'abc'],
    ['A=', ''],
    ['A=\nB=1', ''],
    ['A=a=b:c', 'a=b:c'],
    ['A=postgres://u:p@h:1/d?x=y#z', 'postgres://u:p@h:1/d?x=y#z'],
    ['A=a b', 'a b'],
    ['A=a"b\'c', 'a"b\'c'],
    ['A=a\\tb', 'a\\tb'],
    ['  export A=abc', 'abc'],
    ['export\tA=abc', 'abc'],
    ['# A=1\n\n  # A=2\nA=3 # 4', '3'],
    ['A=1\nA=2', '2'],
    // Quotes.
    ['A="abc # def" # ghi', 'abc # def'],
    ["A='abc # def'#ghi", 'abc # def'],
    ['A=""', ''],
    ['A="a\\"b\\\\c\\td\\n\\0101\\x"', 'a"b\\c\td\nA\\x'],
    ["A='a\\'b\\\\c\\td'", "a'b\\\\c\\td"],
    ['A="first\nsecond"\nB=1', 'first\nsecond'],
    ["A='first\nsecond'", 'first\nsecond'],
    // References to other variables.
    ['B=1\nA=$B-${B}', '1-1'],
    ['B=1\nA="$B"', '1'],
    ["B=1\nA='$B'", '$B'],
    ['A=a$$b', 'a$b'],
    ['A="a\\$B"', 'a$B'],
    ['A=a$1$', 'a$1$'],
    ['A=$FROM_SHELL', 'shell'],
    ['BOTH=file\nA=$BOTH', 'shell'],
    ['A=${NOPE:-x}', 'x'],
    ['A=${NOPE-x}', 'x'],
    ['A=${EMPTY:-x}', 'x'],
    ['A=${EMPTY-x}', ''],
    ['A=${FROM_SHELL:-x}', 'shell'],
    ['A=${NOPE:-${EMPTY:-a${FROM_SHELL}b}}c', 'ashellbc'],
    ['A=${FROM_SHELL:+x}', 'x'],
    ['A=${EMPTY:+x}', ''],
    ['A=${EMPTY+x}', 'x'],
    ['A=${NOPE+x}', ''],
    ['A=${FROM_SHELL:?needed}', 'shell'],
    ['A=${EMPTY?needed}', ''],
  ])('%j', (text, value) => {
    expect(parse(text).A).toBe(value);
  });

  test('a byte order mark and CRLF are ignored', () => {
    expect(parse('\ufeffA=abc#def\r\nB="x y"\r\nC=\r\n# end\r\nD=1 # one\r\n')).toEqual({
      ...{ A: 'abc#def', B: 'x y', C: '', D: '1' },
    });
  });

  test('a name without a value leaves the variable to the environment', () => {
    expect(parse('FROM_SHELL\nA=1')).toEqual({ A: '1' });
  });
});

describe('the error names line and variable', () => {
  test.each([
    ['A="abc', 'line 1: A has no closing ".'],
    ["\nA='abc\nB=1", "line 2: A has no closing '."],
    ['A="abc" def', 'line 1: A has text after its closing quote.'],
    ['A= # nothing', 'line 1: A has a comment instead of a value: quote the value.'],
    ['A abc', 'line 1: A must be followed by "=" and its value.'],
    ['A', undefined],
    ['1A=x', 'line 1: a line must begin with the name of a variable.'],
    ['B="x\ny"\n=x', 'line 3: a line must begin with the name of a variable.'],
    [
      'A=abc$def',
      'line 1: A refers to $def, which is not set: quote the value with \' if the "$" belongs to it.',
    ],
    ['A=${NOPE:?set it}', 'line 1: A needs the variable NOPE: set it.'],
    ['A=${EMPTY:?}', 'line 1: A needs the variable EMPTY.'],
    ['A=${NOPE', 'line 1: A has a "${" without "}".'],
    ['A=${a b}', 'line 1: A has a "${" that refers to no variable: quote it with \'.'],
    ['A="\\0000"', 'line 1: A contains a NUL character, which an environment cannot hold.'],
  ])('%j: %s', (text, message) => {
    if (message) expect(() => parse(text)).toThrow(message);
    else expect(parse(text)).toEqual({});
  });
});

describe('readEnvFile', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tps-env-'));
  const path = join(folder, '.env');
  afterAll(() => rmSync(folder, { recursive: true }));

  test('errors name the file, also when it is not UTF-8', () => {
    expect(readEnvFile(path, {})).toEqual({});
    writeFileSync(path, 'A=abc#def');
    expect(readEnvFile(path, {})).toEqual({ A: 'abc#def' });
    writeFileSync(path, 'A="');
    expect(() => readEnvFile(path, {})).toThrow(`${path} line 1: A has no closing ".`);
    writeFileSync(path, Buffer.from('\ufeffA=1', 'utf16le'));
    expect(() => readEnvFile(path, {})).toThrow(`${path} is not UTF-8: save it as UTF-8.`);
  });
});

/** With Docker Compose, make reads a few variables in the shell, because Node may be missing there. */
test('the shell functions of deploy/compose/run.sh read the same values', () => {
  const script = readFileSync(join(__dirname, '../../compose/run.sh'), 'utf8');
  const functions = ['setting', 'from_file'].map(
    (name) => new RegExp(`^${name}\\(\\) \\{$.*?^\\}$`, 'ms').exec(script)![0],
  );
  const text =
    '\ufeffFIRST=abc#def\r\nTWICE=1\nTWICE=2 # c\nexport QUOTED = "x # \\"y" # z\n' +
    "SINGLE='it\\'s' #\nYAML: 5:6\nEMPTY=\nPREFIX_LONGER=no\n";
  const folder = mkdtempSync(join(tmpdir(), 'tps-env-'));
  writeFileSync(join(folder, '.env'), text);
  const names = ['FIRST', 'TWICE', 'QUOTED', 'SINGLE', 'YAML', 'EMPTY', 'PREFIX'];
  const commands = names.map((name) => `setting ${name} default`);
  const env = { PATH: process.env.PATH };
  const output = execFileSync('sh', ['-euc', [...functions, ...commands].join('\n')], { cwd: folder, env });
  rmSync(folder, { recursive: true });
  const values = parseEnvFile(text, () => undefined);
  expect(output.toString().trimEnd().split('\n')).toEqual(names.map((name) => values[name] || 'default'));
});
