import type { Msg } from '@nats-io/transport-node';
import { type GatewayHarness, startGateway } from '../testing/harness';

const ID = '018f4f6e-0000-7000-8000-000000000000';
const OTHER = '018f4f6e-0000-7000-8000-000000000001';

describe('the filter of dead letters', () => {
  let gateway: GatewayHarness;
  /** The filters that kanban was asked for. */
  const asked: unknown[] = [];
  beforeAll(async () => {
    gateway = await startGateway();
    const { deadLetters, purge, redriveStart } = gateway.fleet.bus.names.subjects;
    const replies = new Map<string, object>([
      [deadLetters, { items: [], next: null, total: 0 }],
      [purge, { deleted: 1, remaining: 0 }],
      [redriveStart, { dry_run: true, matched: 0, types: {} }],
    ]);
    for (const [subject, reply] of replies) {
      const callback = (_: unknown, msg: Msg): void => {
        asked.push(msg.json<{ filter: unknown }>().filter);
        msg.respond(JSON.stringify(reply));
      };
      gateway.fleet.bus.nc.subscribe(subject, { callback });
    }
    await gateway.fleet.bus.nc.flush();
  });
  afterAll(() => gateway.stop());
  beforeEach(() => void (asked.length = 0));

  test('is what query and body say together', async () => {
    const since = '2026-01-31T00:00:00+02:00';
    await gateway.http.delete('/kanban/dead?type=execute').send({ filter: { status: 'expired' }, ids: [ID] });
    await gateway.http.delete(`/kanban/dead?error_class=defect&since=${encodeURIComponent(since)}`);
    await gateway.http.get(`/kanban/dead?signal_type=execute&id=${ID.toUpperCase()}`);
    await gateway.http.post('/kanban/dead/redrive').send({ filter: { class: 'defect' }, ids: [ID, OTHER] });
    expect(asked).toEqual([
      { type: 'execute', status: 'expired', ids: [ID] },
      { class: 'defect', since },
      { type: 'execute', ids: [ID] },
      { class: 'defect', ids: [ID, OTHER] },
    ]);
  });

  test.each([
    ['?type=execute?status=expired', undefined, '/type holds a second "?"'],
    ['?type=execute&signal_type=validate', undefined, '/type or /signal_type is given twice'],
    ['?class=defect&error_class=defect', undefined, '/class or /error_class is given twice'],
    ['?type=execute', { filter: { type: 'validate' } }, '/type or /signal_type is given twice'],
    ['?status=failed', { filter: { status: 'expired' } }, '/status is given twice'],
    [`?id=${ID}`, { ids: [OTHER] }, '/id or /ids is given twice'],
    ['', { ids: [ID], filter: { ids: [OTHER] } }, '/id or /ids is given twice'],
    ['?type=execute&since=2026-06-30T23:59:60Z', undefined, '/since must match format'],
    ['?type=execute&until=2026-06-30T00:00:00%2B02', undefined, '/until must match format'],
    ['?type=execute&fingerprint=', undefined, '/fingerprint must NOT have fewer than 1'],
    ['?type=', undefined, '/type must match pattern'],
    ['', { filter: {} }, 'needs a filter'],
    ['', undefined, 'needs a filter'],
    ['?', {}, 'needs a filter'],
  ])('DELETE /kanban/dead%s with %j is refused: %s', async (query, body, text) => {
    const request = gateway.http.delete(`/kanban/dead${query}`);
    const { status, body: answer } = await (body ? request.send(body) : request);
    expect({ status, answer }).toMatchObject({ status: 400, answer: { code: 'INVALID_REQUEST' } });
    expect(answer.message).toContain(text);
    expect(asked).toEqual([]);
  });

  test('a redrive with a malformed preference has no effect', async () => {
    const { status } = await gateway.http.post('/kanban/dead/redrive').set({ prefer: 'wait=x' }).send({});
    expect([status, asked]).toEqual([400, []]);
  });
});
