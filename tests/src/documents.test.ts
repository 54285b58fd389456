import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { built, type Rule, variables } from './variables';

const ROOT = resolve(__dirname, '../..');
const README = resolve(ROOT, 'README.md');
const BEGIN = '<!-- variables: this table is compared with the code by a test; UPDATE_DOCS=1 writes it -->';
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

/** Do the documents say what the code does? */
describe('README', () => {
  test('its table of variables is that of the code', () => {
    const text = readFileSync(README, 'utf8');
    const from = text.indexOf(BEGIN) + BEGIN.length;
    const to = text.indexOf(END);
    const wanted = `\n${table()}\n`;
    if (process.env.UPDATE_DOCS) writeFileSync(README, text.slice(0, from) + wanted + text.slice(to));
    else expect(text.slice(from, to)).toBe(wanted);
  });

  test('its links lead somewhere', () => {
    for (const page of [
      'README.md',
      'docs/flow.md',
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
