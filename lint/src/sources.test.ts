import { proseOfCode } from './code';
import { proseOfMarkdown } from './markdown';

const texts = (blocks: { text: string; line: number }[]): [number, string][] =>
  blocks.map(({ line, text }) => [line, text.trim().replace(/\s+/g, ' ')]);

describe('code', () => {
  test('comments are split into paragraphs and tags, and adjacent line comments are joined', () => {
    const source = `
/**
 * First paragraph,
 * over two lines.
 *
 * @param limitMs after this it gives up
 * @throws ConfigError when the file is missing
 */
// one remark
// in two lines
const a = 1; // beside the code
`;
    expect(texts(proseOfCode(source).comments)).toEqual([
      [3, 'First paragraph, over two lines.'],
      [6, 'after this it gives up'],
      [7, 'ConfigError when the file is missing'],
      [9, 'one remark in two lines'],
      [11, 'beside the code'],
    ]);
  });

  test('sentences in strings are messages, but names, paths and patterns are not', () => {
    const source = `log.warn('the stream does not answer');
const path = './a/b c'; const key = 'signal_type'; const pattern = '^[a-z] x y';
const text = \`no reply on \${subject} in time\`;`;
    expect(texts(proseOfCode(source).messages)).toEqual([
      [1, 'the stream does not answer'],
      [3, 'no reply on …'],
    ]);
  });
});

test('a page is read without its headings, code blocks and table heads', () => {
  const page = `# What it is

A line that goes on
in the next, see [the flow](flow.md) or \`make up: now\`.

- **an item** of a list
  that goes on
- another item

| what | meaning |
|---|---|
| \`a|b\` | the first cell |

\`\`\`
what is code
\`\`\`
`;
  expect(texts(proseOfMarkdown(page))).toEqual([
    [3, 'A line that goes on in the next, see the flow or `make_up-_now`.'],
    [6, 'an item of a list that goes on'],
    [8, 'another item'],
    [12, ''],
    [12, '`a-b`'],
    [12, 'the first cell'],
    [12, ''],
  ]);
});
