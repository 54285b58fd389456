import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportsOf } from './exports';

describe('the exports of a module', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'tps-exports-'))));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('are documented where they are declared, also when they are renamed', () => {
    const declared = `
/** Says what it is. */
export const described = 1;
// A remark is no documentation.
export const bare = 2;
/** Of the interface. */
export interface Shape { size: number }
/** @throws RangeError */
export function fails(): void {}
const hidden = 3;
`;
    writeFileSync(join(folder, 'declared.ts'), declared);
    const index = join(folder, 'index.ts');
    writeFileSync(index, `export { described, bare as renamed, type Shape, fails } from './declared';\n`);
    const [found = []] = exportsOf([index]);
    expect(found.map(({ name, line, documented }) => [name, line, documented])).toEqual([
      ['described', 3, true],
      ['renamed', 5, false],
      ['Shape', 7, true],
      ['fails', 9, true],
    ]);
  });

  test('a missing file is an error', () => {
    expect(() => exportsOf([join(folder, 'missing.ts')])).toThrow('missing.ts is no module');
  });
});
