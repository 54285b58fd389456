import { readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { exportsOf } from './exports';

const LIBS = resolve(__dirname, '../../libs');

/** The smallest share of exports, in percent, that a doc comment must describe. */
const LIMIT_PERCENT = 95;

/** Prints the exports without a doc comment, and returns whether every package documents enough of them. */
function check(): boolean {
  const libs = readdirSync(LIBS);
  const found = exportsOf(libs.map((lib) => join(LIBS, lib, 'src/index.ts')));
  const figures = libs.map((lib, index) => {
    const all = found[index]!;
    const missing = all.filter(({ documented }) => !documented);
    for (const { file, line, name } of missing) {
      console.log(`${relative(process.cwd(), file)}:${line}: ${name} has no doc comment`);
    }
    const count = all.length - missing.length;
    const percent = (100 * count) / Math.max(1, all.length);
    const text = `libs/${lib}: ${count} of ${all.length} exports, ${percent.toFixed(1)} % (at least ${LIMIT_PERCENT} %)`;
    return { passed: percent >= LIMIT_PERCENT, text };
  });
  for (const { text } of figures) console.log(text);
  return figures.every(({ passed }) => passed);
}

if (!check()) {
  console.error(
    'Too few exports have a doc comment: say what each is, with shapes, units, defaults and errors.',
  );
  process.exitCode = 1;
}
