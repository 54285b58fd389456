import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { allowedValues } from '@tps/service';
import { built, variables } from './variables';

const ROOT = resolve(__dirname, '../..');
const README = resolve(ROOT, 'README.md');
const BEGIN = '<!-- variables: this table is compared with the code by a test; UPDATE_DOCS=1 writes it -->';
const RUNBOOK = resolve(ROOT, 'docs/runbook.md');
const RULES_BEGIN =
  '<!-- rules: these tables are compared with the code by a test; UPDATE_DOCS=1 writes them -->';
const RULES_END = '<!-- end of rules -->';
const END = '<!-- end of variables -->';
const PAGES = [
  'README.md',
  'CHANGELOG.md',
  'bench/README.md',
  'deploy/local/README.md',
  'examples/own-worker/README.md',
  ...['libs', 'services'].flatMap((group) =>
    readdirSync(resolve(ROOT, group))
      .map((name) => `${group}/${name}/README.md`)
      .filter((page) => existsSync(resolve(ROOT, page))),
  ),
  ...readdirSync(resolve(ROOT, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

function table(): string {
  const rows = [...variables()].map(([name, { rule, readers }]) => {
    const value = rule.default === '' ? '' : `\`${String(rule.default)}\``;
    const limits = allowedValues(rule);
    const file = rule.secret ? `; or \`${name}_FILE\`, a file that holds it` : '';
    const meaning = rule.description + (/^text/.test(limits) ? '' : ` (${limits})`) + file;
    const who = readers.length > 3 ? 'several' : readers.join(', ');
    return `| \`${name}\` | ${value} | ${meaning.replaceAll('|', '\\|')} | ${who} |`;
  });
  return ['| variable | default | meaning | read by |', '|---|---|---|---|', ...rows].join('\n');
}

interface AndonRule {
  rule: string;
  yellow?: string;
  red?: string;
  first: string;
}

/** The tables of the rules for lights, from the rules themselves. */
function rules(): string {
  const { LINE_RULES, STATION_RULES } = built<{ LINE_RULES: AndonRule[]; STATION_RULES: AndonRule[] }>(
    'services/andon/dist/light-rules.js',
  );
  const tableOf = (title: string, list: AndonRule[]): string => {
    const rows = list.map(
      ({ rule, yellow = '', red = '', first }) => `| \`${rule}\` | ${yellow} | ${red} | ${first} |`,
    );
    return [`## ${title}`, '', '| rule | YELLOW | RED | first |', '|---|---|---|---|', ...rows].join('\n');
  };
  return `${tableOf('Lines', LINE_RULES)}\n\n${tableOf('Stations', STATION_RULES)}`;
}

/** Compares the text between two marks with the text from the code; UPDATE_DOCS=1 writes it. */
function compare(page: string, [begin, end]: [string, string], wanted: string): void {
  const text = readFileSync(page, 'utf8');
  const [start, to] = [text.indexOf(begin), text.indexOf(end)];
  if (start < 0 || to < start) throw new Error(`${page} lacks the mark ${start < 0 ? begin : end}`);
  const from = start + begin.length;
  if (process.env.UPDATE_DOCS) writeFileSync(page, text.slice(0, from) + wanted + text.slice(to));
  else expect(text.slice(from, to)).toBe(wanted);
}

/** Names of the headings of a page, as links call them. */
function anchors(page: string): string[] {
  const headings = readFileSync(page, 'utf8').match(/^#+ .*$/gm) ?? [];
  return headings.map((heading) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Do the documents say what the code does? */
describe('README', () => {
  test('its table of variables is that of the code', () => {
    compare(README, [BEGIN, END], `\n${table()}\n`);
  });

  test('the local runtime knows the variables of the code', () => {
    const names = [...variables().keys()].filter((name) => name.startsWith('TPS_')).sort();
    const lines = names.map((name) => `\n  '${name}',`).join('');
    const marks: [string, string] = ['// variables: written by `make render`', '\n  // end of variables'];
    compare(resolve(ROOT, 'deploy/local/src/known-variables.ts'), marks, lines);
  });

  test('the rules in the runbook are those of the code', () => {
    compare(RUNBOOK, [RULES_BEGIN, RULES_END], `\n${rules()}\n`);
  });

  test('a page without its marks is no page that agrees', () => {
    expect(() => compare(README, ['<!-- no such mark -->', END], '')).toThrow('lacks the mark <!-- no such');
    expect(() => compare(README, [END, BEGIN], '')).toThrow(`lacks the mark ${BEGIN}`);
  });

  test.each(PAGES)('the links of %s lead somewhere', (page) => {
    const text = readFileSync(resolve(ROOT, page), 'utf8').replaceAll(/^```[^]*?^```/gm, '');
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path, anchor] = target!.split('#');
      const file = path ? resolve(ROOT, page, '..', path) : resolve(ROOT, page);
      expect({ target, there: existsSync(file) }).toEqual({ target, there: true });
      if (anchor)
        expect({ target, anchors: anchors(file) }).toMatchObject({
          anchors: expect.arrayContaining([anchor]) as string[],
        });
    }
  });

  test('the files that docs/flow.md names are there', () => {
    const text = readFileSync(resolve(ROOT, 'docs/flow.md'), 'utf8');
    for (const [, path] of text.matchAll(/`((?:libs|services)\/[\w./-]+\.ts)`/g)) {
      expect(readFileSync(resolve(ROOT, path!), 'utf8')).not.toBe('');
    }
  });
});
