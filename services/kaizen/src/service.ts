import { type ReplyOf, WIRE_VERSION } from '@tps/contracts';
import { OutcomesLog, TypesView } from '@tps/fleet';
import type { RunningService, ServiceContext, ServiceDefinition } from '@tps/service';
import { type KaizenConfig, variables } from './config';
import { LOSS_WINDOW_MS, type LossWindow } from './loss-window';
import { KaizenMetrics } from './metrics';
import { ReportBuilder } from './report-builder';
import { SnapshotWriter } from './snapshot-writer';
import { suggestionsFor } from './suggestions';
import { Totals } from './totals';

/** Every reply waits for the log this long, so that a caller finds the outcome counted which it has just received. */
const CATCH_UP_MS = 500;

/** Improve from facts: counts and true percentiles of all outcomes, reports and suggestions. */
export const kaizen: ServiceDefinition<typeof variables> = { name: 'kaizen', variables, start };

async function start(context: ServiceContext<KaizenConfig>): Promise<RunningService> {
  const metrics = new KaizenMetrics(context.registry);
  const types = await followTypes(context);
  types.onRetired((type) => metrics.forget(type));
  const snapshots = new SnapshotWriter(context);
  const totals = new Totals(await snapshots.read());
  const log = await OutcomesLog.open(context, {
    spanAttributes: () => ({}),
    startIn: (facts) => totals.startIn(facts),
    onStart: (begun) => {
      totals.begin(begun);
      // The broker has lost the store of the snapshots too, perhaps.
      if (begun.replaced) snapshots.write();
    },
    onOutcome: (logged) => {
      totals.take(logged);
      metrics.count(logged);
    },
  });
  snapshots.start(() => totals.snapshot(log.remembersFrom));
  const reports = new ReportBuilder(context, () => totals.counts);
  context.endpoint('report', async (request) => {
    await log.caughtUp(CATCH_UP_MS);
    return reports.build(request);
  });
  context.endpoint('suggestions', async () => {
    await log.caughtUp(CATCH_UP_MS);
    return suggestionsReply(totals.losses, types, Date.now());
  });
  return {
    stop: async () => {
      types.close();
      await log.stop();
      await snapshots.stop();
    },
    problems: () => log.problems(),
    vitals: () => ({
      error_rate: totals.counts.recentErrorRate(Date.now()),
      total: totals.counts.total.processed,
    }),
    board: async () => {
      await log.caughtUp(CATCH_UP_MS);
      return totals.counts.board(log.position, Date.now());
    },
  };
}

function followTypes({ bus, config, log }: ServiceContext): Promise<TypesView> {
  const onError = (error: unknown): void => void log.warn('types', { error });
  return TypesView.open(bus, { replicas: config.TPS_NATS_REPLICAS, onError });
}

/** A retired type gets no suggestions, but its signals stay in the totals. */
function suggestionsReply(losses: LossWindow, types: TypesView, nowMs: number): ReplyOf<'suggestions'> {
  const present = [...losses.byType(nowMs)].filter(([type]) => !types.isRetired(type));
  return {
    v: WIRE_VERSION,
    generated_at: new Date(nowMs).toISOString(),
    from: new Date(nowMs - LOSS_WINDOW_MS).toISOString(),
    items: suggestionsFor(new Map(present)),
  };
}
