import { askBoard } from '@tps/bus';
import { type AndonBoard, type AndonVitals, CHART, type KanbanBoard, parseStopKey } from '@tps/contracts';
import { FleetView, LineView, OutcomesLog, TypesView } from '@tps/fleet';
import type { RunningService, ServiceContext, ServiceDefinition } from '@tps/service';
import { AndonLog } from './andon-log';
import { AndonBoardState, type FiguresRecord } from './board';
import { restoreStop } from './call-transitions';
import { Calls } from './calls';
import { type AndonConfig, andonVariables } from './config';
import { DeadLetterUsage } from './dead-letter-usage';
import { AndonHistory } from './andon-history';
import { waitingOf } from './kanban-figures';
import type { Light } from './light';
import { type ChartsRecord, LineCharts } from './line-charts';
import { Records } from './records/records';
import { exposeLosses } from './state-loss';
import { Webhook } from './webhook';

const EVALUATE_MS = 1_000;
const CATCH_UP_MS = 500;
/** Short, because callers of a lookup wait for outcomes. */
const GATHER_MS = 100;
const KANBAN_LIMIT_MS = 300;

/** Makes problems visible and calls for help: lights, calls, stops by people, history, and the records of signals. */
export const andon: ServiceDefinition<typeof andonVariables> = {
  name: 'andon',
  variables: andonVariables,
  start,
};

async function start(context: ServiceContext<AndonConfig>): Promise<RunningService> {
  const { bus, config, log } = context;
  const onError = (error: unknown): void => void log.warn('andon', { error });
  const kv = { replicas: config.TPS_NATS_REPLICAS, onError };
  const fleet = new FleetView(bus, { onError });
  exposeLosses(context.registry, () => fleet.lostState());
  const lines = await LineView.open(bus, { ...kv, restoreStop });
  const types = await TypesView.open(bus, kv);
  const history = new AndonHistory(bus, config.TPS_ANDON_HISTORY);
  const changes = await AndonLog.open(context, history);
  const dead = new DeadLetterUsage(context);
  const lightOf = (line: string): Light => board.lightOf(line, Date.now());
  const isSettled = (): boolean => board.hasHeardEveryone(Date.now());
  const calls: Calls = new Calls({ bus, log, lines, changes, lightOf, isSettled, ...callLimits(config) });
  const records = await Records.open(context);
  const sources = { fleet, lines, types, changes, calls, history, dead, records };
  const board: AndonBoardState = new AndonBoardState(sources, Date.now());
  types.onRetired((type) => board.forget(type));
  const charts = new LineCharts();
  const outcomes = await followOutcomes(context, { board, charts, records });
  const problems = (): string[] => [
    ...outcomes.problems(),
    ...records.problems(),
    ...lines.problems(),
    ...(changes.rebuilt ? [] : ['reading the history']),
  ];
  // A log that is not followed now must not keep the board from saying what is wrong elsewhere.
  const ready = (): boolean => bus.connected && outcomes.rebuilt && changes.rebuilt;
  lines.onChange((line) => void (ready() && lineChanged(line, { board, calls }).catch(onError)));
  const evaluator = setInterval(() => {
    if (ready()) void assessAll({ board, calls, dead }).catch(onError);
  }, EVALUATE_MS);
  const look = (kanban: KanbanBoard | null): AndonBoard => sampled(charts, board.status(Date.now(), kanban));
  // The charts have no gaps while nobody looks at the board.
  const sampler = setInterval(() => {
    if (ready()) void askKanban(context).then(look).catch(onError);
  }, CHART.stepMs);
  const webhook = config.TPS_ANDON_WEBHOOK_URL && Webhook.start(context, config.TPS_ANDON_WEBHOOK_URL);
  serve(context, { calls, changes, history, outcomes, charts });
  void outcomes.untilRebuilt().then((isRebuilt) => isRebuilt && serveRecords(context, records, outcomes));
  return {
    problems,
    vitals: () => ({ colour: board.colour(), missed: fleet.missing() }) satisfies AndonVitals,
    board: async () => {
      const [kanban] = await Promise.all([
        askKanban(context),
        outcomes.caughtUp(CATCH_UP_MS),
        changes.caughtUp(CATCH_UP_MS),
      ]);
      return look(kanban);
    },
    stop: async () => {
      for (const timer of [evaluator, sampler]) clearInterval(timer);
      if (webhook) await webhook.stop();
      for (const view of [fleet, lines, types]) view.close();
      await Promise.all([outcomes.stop(), changes.stop()]);
      await records.close();
    },
  };
}

function callLimits(config: AndonConfig): { respondMs: number; callAfterMs: number } {
  return { respondMs: config.TPS_ANDON_RESPOND_MS, callAfterMs: config.TPS_ANDON_CALL_AFTER_MS };
}

interface Projections {
  board: AndonBoardState;
  charts: LineCharts;
  records: Records;
}

interface AndonFigures {
  lines: FiguresRecord;
  charts: ChartsRecord;
}

/** All projections go on where the process before stopped: their figures are kept with the index of the records. */
function followOutcomes(
  context: ServiceContext<AndonConfig>,
  { board, charts, records }: Projections,
): Promise<OutcomesLog> {
  const figures = {
    record: (): AndonFigures => ({ lines: board.snapshot(), charts: charts.record() }),
    restore: (kept: AndonFigures): void => {
      board.restore(kept.lines);
      charts.restore(kept.charts);
    },
  };
  return OutcomesLog.open(context, {
    gatherMs: GATHER_MS,
    spanAttributes: () => ({}),
    startIn: (log) => records.startIn(log, figures),
    onStart: ({ replaced, created }) => {
      if (!replaced) return;
      records.restart(created);
      board.restart();
      charts.restart();
    },
    onOutcome: (logged) => {
      records.take(logged);
      if (!records.counts(logged.seq)) return;
      board.take(logged);
      charts.take(logged);
    },
    onRead: () => records.flush(),
  });
}

interface Assessors {
  board: AndonBoardState;
  calls: Calls;
}

async function assessAll({ board, calls, dead }: Assessors & { dead: DeadLetterUsage }): Promise<void> {
  board.assessAll(Date.now());
  // Calls and lights do not wait for a stream that does not answer.
  const recorded = calls.sweep().then(() => board.record(Date.now()));
  await Promise.all([recorded, dead.measure(Date.now())]);
}

/** Assesses a line when its circuit or stop changes, so that a stopped line is RED at once. */
async function lineChanged(line: string, { board, calls }: Assessors): Promise<void> {
  // Stations have no circuit, and their lights do not depend on it.
  if (parseStopKey(line).kind === 'station') return;
  board.assessLine(line, Date.now());
  await calls.checkLine(line);
  await board.record(Date.now());
}

/** Keeps how much waits on each line, and drops the charts of lines that the board does not have any more. */
function sampled(charts: LineCharts, status: AndonBoard): AndonBoard {
  const { at, lines } = status;
  for (const [line, { queue }] of Object.entries(lines)) {
    const waiting = waitingOf(queue);
    if (waiting !== null) charts.sample(line, waiting, Date.parse(at));
  }
  charts.keepOnly(new Set(Object.keys(lines)));
  return status;
}

interface Answering {
  calls: Calls;
  changes: AndonLog;
  history: AndonHistory;
  outcomes: OutcomesLog;
  charts: LineCharts;
}

function serve(
  context: ServiceContext<AndonConfig>,
  { calls, changes, history, outcomes, charts }: Answering,
): void {
  context.endpoint('charts', async (request) => {
    await outcomes.caughtUp(CATCH_UP_MS);
    return charts.answer(request, Date.now());
  });
  context.endpoint('pull', (request) => calls.pull(request));
  context.endpoint('acknowledge', (request) => calls.acknowledge(request));
  context.endpoint('resume', (request) => calls.resume(request));
  context.endpoint('retireLine', async (request) => {
    await calls.retire(request);
    return { done: true };
  });
  context.endpoint('history', async (request) => {
    await changes.caughtUp(CATCH_UP_MS);
    return history.page(request);
  });
}

/** Called when the index is complete: until then, other replicas get these requests. */
function serveRecords(context: ServiceContext, records: Records, outcomes: OutcomesLog): void {
  context.endpoint('lookup', (request) => records.lookup(request, outcomes));
  context.endpoint('finishedSignals', (request) => records.page(request, outcomes));
}

/** The figures of the queue, or null: the board does without them while kanban does not answer. */
async function askKanban({ bus }: ServiceContext): Promise<KanbanBoard | null> {
  try {
    return await askBoard(bus, 'kanban', { timeoutMs: KANBAN_LIMIT_MS });
  } catch {
    return null;
  }
}
