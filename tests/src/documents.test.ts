import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { built, type Rule, variables } from './variables';

const ROOT = resolve(__dirname, '../..');
const README = resolve(ROOT, 'README.md');
const BEGIN = '<!-- variables: this table is compared with the code by a test; UPDATE_DOCS=1 writes it -->';
const RUNBOOK = resolve(ROOT, 'docs/runbook.md');
const RULES_BEGIN =
  '<!-- rules: these tables are compared with the code by a test; UPDATE_DOCS=1 writes them -->';
const RULES_END = '<!-- end of rules -->';
const END = '<!-- end of variables -->';

function table(): string {
  const { allowed } = built<{ allowed: (rule: Rule) => string }>('libs/service/dist/index.js');
  const rows = [...variables()].map(([name, { rule, readers }]) => {
    const value = rule.default === '' ? '' : `\`${String(rule.default)}\``;
    const limits = allowed(rule);
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

/** What gives a line or station its colour, as the rules say it themselves. */
function rules(): string {
  const { LINE_RULES, STATION_RULES } = built<{ LINE_RULES: AndonRule[]; STATION_RULES: AndonRule[] }>(
    'services/andon/dist/rules.js',
  );
  const tableOf = (title: string, list: AndonRule[]): string => {
    const rows = list.map(
      ({ rule, yellow = '', red = '', first }) => `| \`${rule}\` | ${yellow} | ${red} | ${first} |`,
    );
    return [`## ${title}`, '', '| rule | YELLOW | RED | first |', '|---|---|---|---|', ...rows].join('\n');
  };
  return `${tableOf('Lines', LINE_RULES)}\n\n${tableOf('Stations', STATION_RULES)}`;
}

/** What stands between two marks is what the code says; UPDATE_DOCS=1 writes it. */
function compare(page: string, [begin, end]: [string, string], wanted: string): void {
  const text = readFileSync(page, 'utf8');
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end);
  if (process.env.UPDATE_DOCS) writeFileSync(page, text.slice(0, from) + wanted + text.slice(to));
  else expect(text.slice(from, to)).toBe(wanted);
}

/** Do the documents say what the code does? */
describe('README', () => {
  test('its table of variables is that of the code', () => {
    compare(README, [BEGIN, END], `\n${table()}\n`);
  });

  test('the rules in the runbook are those of the code', () => {
    compare(RUNBOOK, [RULES_BEGIN, RULES_END], `\n${rules()}\n`);
  });

  test('its links lead somewhere', () => {
    for (const page of [
      'README.md',
      'docs/flow.md',
      'docs/runbook.md',
      'docs/extending.md',
      'docs/differences.md',
      'docs/deployment.md',
      'docs/monitoring.md',
    ]) {
      const text = readFileSync(resolve(ROOT, page), 'utf8');
      for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
        expect(() => readFileSync(resolve(ROOT, page, '..', target!))).not.toThrow(/ENOENT/);
      }
    }
  });

  test('the files that docs/flow.md names are there', () => {
    const text = readFileSync(resolve(ROOT, 'docs/flow.md'), 'utf8');
    for (const [, path] of text.matchAll(/`((?:libs|services)\/[\w./-]+\.ts)`/g)) {
      expect(readFileSync(resolve(ROOT, path!), 'utf8')).not.toBe('');
    }
  });
});
