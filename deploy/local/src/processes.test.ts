import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endLeftovers, identify, isAlive, recordProcess } from './processes';
import { readSettings } from './settings';

const { paths } = readSettings({ TPS_HOME: mkdtempSync(join(tmpdir(), 'tps-processes-')) });

afterAll(() => rmSync(paths.home, { recursive: true, force: true }));

function sleeper() {
  return spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
}

describe('endLeftovers', () => {
  it('ends recorded processes, and forgets them', async () => {
    const child = sleeper();
    const id = identify(child.pid ?? 0);
    if (id === undefined) throw new Error('sleep did not start');
    recordProcess(paths, 'kanban-1', id);
    expect(await endLeftovers(paths)).toEqual(['kanban-1']);
    expect(isAlive(id)).toBe(false);
    expect(await endLeftovers(paths)).toEqual([]);
  });

  it('spares another process with the same pid', async () => {
    const child = sleeper();
    recordProcess(paths, 'kanban-1', { pid: child.pid ?? 0, started: 'at another time' });
    expect(await endLeftovers(paths)).toEqual([]);
    expect(identify(child.pid ?? 0)).toBeDefined();
    child.kill();
    await once(child, 'exit');
  });
});
