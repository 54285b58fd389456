import { lineName, SERVICES } from '@tps/contracts';
import { lineName as shownName } from '../../web/format';

test('the pages tell stations from signal types as the fleet does', () => {
  for (const name of SERVICES) {
    expect(shownName(lineName({ kind: 'station', name }))).toBe(`station ${name}`);
    expect(shownName(lineName({ kind: 'type', name }))).toBe(name);
  }
});
