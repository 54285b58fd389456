import { KvView } from '@tps/bus';
import type { CircuitRecord, LookupReply, LookupRequest, TypeRecord } from '@tps/contracts';
import {
  FleetView,
  OutcomesLog,
  type RunningService,
  type ServiceContext,
  type ServiceDefinition,
} from '@tps/service';
import { AndonLog } from './andon-log';
import { Board } from './board';
import { type AndonConfig, andonVariables } from './config';
import { Lookups } from './lookups';
import { RecordReader } from './record-reader';

const EVALUATE_MS = 1_000;
const CATCH_UP_MS = 500;

/** Make it visible: the colour of every line and station, and the record of every signal. */
export const andon: ServiceDefinition<typeof andonVariables> = {
  name: 'andon',
  variables: andonVariables,
  start,
};

async function start(context: ServiceContext<AndonConfig>): Promise<RunningService> {
  const { bus, config, log } = context;
  const kv = {
    replicas: config.TPS_NATS_REPLICAS,
    onError: (error: unknown) => log.warn('following a bucket', { error }),
  };
  const fleet = new FleetView(bus);
  const circuits = await KvView.open<CircuitRecord>(bus, bus.names.buckets.circuits, kv);
  const types = await KvView.open<TypeRecord>(bus, bus.names.buckets.types, kv);
  const changes = await AndonLog.open(context);
  const board = new Board({ fleet, circuits, types, changes }, Date.now());
  const lookups = new Lookups(new RecordReader(bus));
  const outcomes = await OutcomesLog.open(context, {
    spanAttributes: () => ({}),
    onOutcome: (logged) => {
      lookups.take(logged);
      board.take(logged);
    },
  });
  const problems = (): string[] => [
    ...outcomes.problems(),
    ...(changes.rebuilt ? [] : ['reading the log of colours']),
  ];
  const evaluator = setInterval(() => {
    if (problems().length > 0) return;
    board.evaluate(Date.now());
    void board.record(Date.now());
  }, EVALUATE_MS);
  context.endpoint<LookupRequest, LookupReply>('lookup', bus.names.subjects.lookup, (request) =>
    lookups.answer(request, outcomes),
  );
  return {
    problems,
    vitals: () => ({ colour: board.colour() }),
    board: async () => {
      await outcomes.caughtUp(CATCH_UP_MS);
      return board.status(Date.now());
    },
    stop: async () => {
      clearInterval(evaluator);
      lookups.close();
      fleet.close();
      circuits.close();
      types.close();
      await Promise.all([outcomes.stop(), changes.stop()]);
    },
  };
}
