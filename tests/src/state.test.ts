import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { namesFor } from '@tps/contracts';

const ROOT = resolve(__dirname, '../..');
const PAGE = resolve(ROOT, 'docs/state.md');
const names = namesFor();
/** Subjects whose messages each stream stores. */
const SUBJECTS: Record<string, string[]> = {
  [names.streams.kanban]: [names.subjects.work('*', '*', '*')],
  [names.streams.outcomes]: [names.subjects.outcomeBatch, names.subjects.outcomeAttempt('*')],
  [names.streams.dead]: [names.subjects.dead('*')],
  [names.streams.andon]: [names.subjects.andon('*')],
};
const BUCKETS = Object.values(names.buckets);
const STORES = Object.values(names.stores);

interface Row {
  writers: string[];
  readers: string[];
}

/** The tables of docs/state.md, by name of the stream, bucket or queue. */
function documented(): Map<string, Row> {
  const page = readFileSync(PAGE, 'utf8');
  const rows = [...page.matchAll(/^\| `([\w.]+)` \|.*$/gm)].map(([line, name]) => {
    const [, , , writers = '', readers = '', lost = '', remade = ''] = line.split('|');
    expect({ name, lost: lost.trim() !== '', remade: remade.trim() !== '' }).toEqual({
      name,
      lost: true,
      remade: true,
    });
    const list = (cell: string): string[] => cell.split(',').map((service) => service.trim());
    return [name!, { writers: list(writers), readers: list(readers) }] as const;
  });
  return new Map(rows);
}

/** Subjects that each user of deploy/nats/authorization.conf may publish to. */
function rights(): Map<string, string[]> {
  const config = readFileSync(resolve(ROOT, 'deploy/nats/authorization.conf'), 'utf8');
  const users = [...config.matchAll(/user: (\w+)\n[^]*?publish: \[([^]*?)\]/g)];
  return new Map(
    users.map(([, user, list]) => [user!, [...list!.matchAll(/"([^"]+)"/g)].map(([, subject]) => subject!)]),
  );
}

/** Whether some subject matches both patterns. */
function overlap(a: string, b: string): boolean {
  const [left, right] = [a.split('.'), b.split('.')];
  for (let i = 0; ; i += 1) {
    if (left[i] === '>' || right[i] === '>') return true;
    if (left[i] === undefined || right[i] === undefined) return left.length === right.length;
    if (left[i] !== '*' && right[i] !== '*' && left[i] !== right[i]) return false;
  }
}

function usersWith(subjects: readonly string[]): string[] {
  const allowed = [...rights()].filter(([, list]) =>
    list.some((right) => subjects.some((subject) => overlap(right, subject))),
  );
  return allowed.map(([user]) => user).sort();
}

/** Requests of JetStream that return stored messages. */
function reading(stream: string): string[] {
  return [
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.DIRECT.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}.>`,
    `$JS.API.STREAM.MSG.GET.${stream}`,
  ];
}

/** Compares the two columns of one row; UPDATE_DOCS=1 writes them. */
function compare(name: string, wanted: Row): void {
  if (!process.env.UPDATE_DOCS) return expect(documented().get(name)).toEqual(wanted);
  const columns = `${wanted.writers.join(', ')} | ${wanted.readers.join(', ')}`;
  const row = new RegExp(`^(\\| \`${name}\` \\| [^|]+ \\| )[^|]+ \\| [^|]+(?= \\|)`, 'm');
  writeFileSync(
    PAGE,
    readFileSync(PAGE, 'utf8').replace(row, (_, begin: string) => begin + columns),
  );
}

describe('docs/state.md', () => {
  test('names every stream, bucket, object store and queue, and no other', () => {
    const all = [...Object.values(names.streams), ...BUCKETS, ...STORES, ...Object.values(names.queues)];
    expect([...documented().keys()].sort()).toEqual(all.sort());
  });

  test.each(Object.keys(SUBJECTS))('lists who may write and read the stream %s', (stream) => {
    compare(stream, {
      writers: usersWith(SUBJECTS[stream]!),
      readers: usersWith(reading(stream)),
    });
  });

  test.each(BUCKETS)('lists who may write and read the bucket %s', (bucket) => {
    compare(bucket, {
      writers: usersWith([`$KV.${bucket}.>`]),
      readers: usersWith(reading(`KV_${bucket}`)),
    });
  });

  test.each(STORES)('lists who may write and read the object store %s', (store) => {
    compare(store, {
      writers: usersWith([`$O.${store}.>`]),
      readers: usersWith(reading(`OBJ_${store}`)),
    });
  });

  test('two patterns overlap when a subject can match both', () => {
    expect(overlap('tps.kanban.*', 'tps.kanban.*.*.*')).toBe(false);
    expect(overlap('tps.outcomes.>', 'tps.outcomes.attempt.*')).toBe(true);
    expect(overlap('tps.records.*', 'tps.records.lookup')).toBe(true);
    expect(overlap('tps.dead.a', 'tps.dead.b')).toBe(false);
  });
});
