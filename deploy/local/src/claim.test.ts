import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimHolder, releaseClaim, takeClaim } from './claim';
import { readSettings } from './settings';

const root = mkdtempSync(join(tmpdir(), 'tps-claim-'));

afterAll(() => rmSync(root, { recursive: true, force: true }));

function freshPaths() {
  return readSettings({ TPS_HOME: mkdtempSync(join(root, 'home-')) }).paths;
}

describe('takeClaim', () => {
  it('one process at a time holds the claim, until it is released', () => {
    const paths = freshPaths();
    expect(takeClaim(paths, 'cleanup')).toBeUndefined();
    expect(takeClaim(paths, 'supervisor')).toMatchObject({ pid: process.pid, role: 'cleanup' });
    releaseClaim(paths);
    expect(takeClaim(paths, 'supervisor')).toBeUndefined();
  });

  it('the claim of a dead process is taken over, and no other file remains', () => {
    const paths = freshPaths();
    mkdirSync(paths.run, { recursive: true });
    const dead = { pid: process.pid, started: 'before', role: 'supervisor' };
    writeFileSync(join(paths.run, 'claim.json'), JSON.stringify(dead));
    expect(claimHolder(paths)).toBeUndefined();
    expect(takeClaim(paths, 'supervisor')).toBeUndefined();
    expect(readdirSync(paths.run)).toEqual(['claim.json']);
  });
});
