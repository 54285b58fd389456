import type { Attributes } from '@opentelemetry/api';
import { encodeAttributes } from './otlp-json';

test('values that are no attribute values are left out, and numbers beyond 64 bits are no integers', () => {
  const given = {
    ...{ object: { a: 1 }, date: new Date(), bigint: 1n, nothing: null },
    ...{ list: ['a', { b: 1 }, 2n, 3], huge: 1e300, count: 7, share: 0.5 },
  };
  expect(JSON.parse(encodeAttributes(given as unknown as Attributes))).toEqual([
    { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: 3 }] } } },
    { key: 'huge', value: { doubleValue: 1e300 } },
    { key: 'count', value: { intValue: 7 } },
    { key: 'share', value: { doubleValue: 0.5 } },
  ]);
});
