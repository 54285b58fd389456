import { differences, fingerprintOf } from './build-fingerprint';
import { readSettings } from './settings';

function fingerprint(env: Record<string, string>) {
  return fingerprintOf(readSettings({ TPS_ROOT: '/nowhere', ...env }));
}

describe('differences', () => {
  it('names changed, added and removed variables', () => {
    const running = fingerprint({ TPS_CB_THRESHOLD: '5', LOG_LEVEL: 'info' });
    const now = fingerprint({ TPS_CB_THRESHOLD: '6', RATE_LIMIT: '100' });
    expect(differences(running, now)).toEqual(['LOG_LEVEL, RATE_LIMIT, TPS_CB_THRESHOLD differ']);
  });

  it('ignores variables that are no configuration', () => {
    expect(differences(fingerprint({ SHLVL: '1' }), fingerprint({ SHLVL: '2', TERM: 'x' }))).toEqual([]);
  });

  it('recognises another build', () => {
    const running = fingerprint({});
    expect(differences(running, { ...running, build: 'later' })).toEqual(['the code was built again']);
  });
});

it('contains no readable value', () => {
  expect(JSON.stringify(fingerprint({ AUTH_TOKEN: 'very-secret' }))).not.toContain('very-secret');
});
