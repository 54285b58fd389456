import { differences, fingerprintOf } from './fingerprint';
import { readSettings } from './settings';

function fingerprint(env: Record<string, string>) {
  return fingerprintOf(readSettings({ TPS_ROOT: '/nowhere', ...env }));
}

describe('differences', () => {
  it('names what was changed, added and removed', () => {
    const running = fingerprint({ TPS_CB_THRESHOLD: '5', LOG_LEVEL: 'info' });
    const now = fingerprint({ TPS_CB_THRESHOLD: '6', RATE_LIMIT: '100' });
    expect(differences(running, now)).toEqual(['LOG_LEVEL, RATE_LIMIT, TPS_CB_THRESHOLD differ']);
  });

  it('does not mind what is no configuration', () => {
    expect(differences(fingerprint({ SHLVL: '1' }), fingerprint({ SHLVL: '2', TERM: 'x' }))).toEqual([]);
  });

  it('notices another build', () => {
    const running = fingerprint({});
    expect(differences(running, { ...running, build: 'later' })).toEqual(['the code was built again']);
  });
});

it('keeps no value readable', () => {
  expect(JSON.stringify(fingerprint({ AUTH_TOKEN: 'very-secret' }))).not.toContain('very-secret');
});
