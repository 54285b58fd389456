import { type Bus, latestAttempt, type RecordsClient, RecordsUnavailableError } from '@tps/bus';
import type * as busLibrary from '@tps/bus';
import type { Outcome } from '@tps/contracts';
import type { InFlightSignal } from './in-flight-signal';
import type { Holders, OtherWorkers } from './other-workers';
import { attemptsUsed, type PriorAttempts, priorAttemptsOf } from './prior-attempts';

jest.mock('@tps/bus', () => ({
  ...jest.requireActual<typeof busLibrary>('@tps/bus'),
  latestAttempt: jest.fn(),
}));
const readLatest = jest.mocked(latestAttempt);
beforeEach(() => readLatest.mockReset());

const bus = {} as Bus;
const inFlight = (deliveries: number, given: Partial<InFlightSignal> = {}): InFlightSignal =>
  ({
    signal: { id: 'one', run: 1 },
    info: { deliveries },
    attempt: 1,
    suspect: false,
    ...given,
  }) as InFlightSignal;

interface Past {
  latest?: Partial<Outcome>;
  outcomes?: Partial<Outcome>[];
  holders?: Partial<Holders>;
}
/** Sources with this past; those that are not named must not be asked. */
function prior(signal: InFlightSignal, { latest, outcomes, holders }: Past): Promise<PriorAttempts> {
  readLatest.mockResolvedValue(latest as Outcome | undefined);
  const unasked = (): never => {
    throw new Error('asked without need');
  };
  return priorAttemptsOf(signal, {
    bus,
    records: { outcomesOf: async () => outcomes ?? unasked() } as unknown as RecordsClient,
    others: { holdersOf: async () => ({ unread: 0, ...(holders ?? unasked()) }) } as unknown as OtherWorkers,
  });
}

test.each<[string, InFlightSignal, Past, object]>([
  ['a release', inFlight(2), { latest: { delivery: 1, attempt: 0 } }, { kind: 'run', attempt: 1 }],
  ['a failed attempt', inFlight(2), { latest: { delivery: 1, attempt: 1 } }, { kind: 'run', attempt: 2 }],
  ['a lost delivery', inFlight(2), { outcomes: [], holders: {} }, { kind: 'run', attempt: 2 }],
  [
    'an attempt and two lost deliveries',
    inFlight(4),
    { latest: { delivery: 1, attempt: 1 }, outcomes: [], holders: {} },
    { kind: 'run', attempt: 4 },
  ],
  [
    'a lost delivery that a blocked worker did not read',
    inFlight(2),
    { outcomes: [], holders: { unread: 1 } },
    { kind: 'run', attempt: 1 },
  ],
  [
    'a final outcome of this run',
    inFlight(1, { suspect: true }),
    {
      outcomes: [
        { final: true, run: 0 },
        { final: true, run: 1 },
      ],
    },
    { kind: 'finished', outcome: { run: 1 } },
  ],
  [
    'a final outcome of another run',
    inFlight(1, { suspect: true }),
    { outcomes: [{ final: true, run: 0 }] },
    { kind: 'run', attempt: 1 },
  ],
  [
    'a worker that runs it',
    inFlight(1, { suspect: true, readLate: true }),
    { outcomes: [], holders: { startedBy: 'other' } },
    { kind: 'elsewhere', worker: 'other' },
  ],
])('after %s', async (_, signal, past, expected) => {
  expect(await prior(signal, past)).toMatchObject(expected);
});

test('records that do not answer are an error, never an empty past', async () => {
  const records = { outcomesOf: () => Promise.reject(new RecordsUnavailableError('away')) };
  const sources = { bus, records: records as unknown as RecordsClient, others: {} as OtherWorkers };
  await expect(priorAttemptsOf(inFlight(1, { suspect: true }), sources)).rejects.toThrow('away');
  readLatest.mockRejectedValue(new RecordsUnavailableError('away'));
  await expect(attemptsUsed(bus, inFlight(2))).rejects.toThrow('away');
});

test('a release of a signal whose past is known reads nothing again, and keeps what was found', async () => {
  const last = { attempt: 2 } as Outcome;
  const known = inFlight(5, { isInspected: true, attempt: 3, last });
  expect(await attemptsUsed(bus, known)).toEqual({ last, vanished: 0, used: 2 });
  expect(await attemptsUsed(bus, inFlight(1))).toMatchObject({ used: 0 });
  expect(readLatest).not.toHaveBeenCalled();
});
