import type { ServiceName } from './fleet';

/** Every name on the broker; nobody else types a subject, stream or bucket. */
export type Names = ReturnType<typeof namesFor>;

/**
 * The names of one fleet. `REQUESTS` has the shapes of the requests among the subjects. A request's subject must not
 * fall under a stream's (`tps.kanban.*.*.*`, `tps.andon.*`, `tps.outcomes.>`, `tps.dead.*`): the stream would store the
 * request and answer it.
 *
 * @param prefix put before every name, so that several fleets can share a broker (`TPS_STREAM_PREFIX`)
 */
export function namesFor(prefix = '') {
  const p = (name: string): string => prefix + name;
  return {
    prefix,
    streams: { kanban: p('KANBAN'), outcomes: p('OUTCOMES'), dead: p('DEAD'), andon: p('ANDON') },
    buckets: {
      circuits: p('tps_circuits'),
      stops: p('tps_stops'),
      types: p('tps_types'),
      schedule: p('tps_schedule'),
      cards: p('tps_cards'),
      leases: p('tps_leases'),
      redrives: p('tps_redrives'),
    },
    /** Object stores: one for each service that keeps snapshots. */
    stores: { kaizen: p('tps_kaizen') },
    /** RabbitMQ's: where signals go while NATS cannot take them. */
    queues: { backup: p('tps.backup') },
    subjects: subjectsFor(p),
  } as const;
}

function subjectsFor(p: (name: string) => string) {
  return {
    /** To jidoka: may these signals enter? */
    admit: p('tps.jidoka.admit'),
    /** To jidoka: a worker asks for the one permit to try a stopped type. */
    trial: p('tps.jidoka.trial'),
    /** To jidoka: a person starts a line again. */
    resumeCircuit: p('tps.jidoka.resume'),
    /** To andon: pull the cord. */
    pull: p('tps.calls.pull'),
    /** To andon: look after a call. */
    acknowledge: p('tps.calls.acknowledge'),
    /** To andon: start the line again. */
    resume: p('tps.calls.resume'),
    /** To andon: a page of the history. */
    history: p('tps.calls.history'),
    /** To andon: asks for the last hour of the lines. */
    charts: p('tps.calls.charts'),
    /** To kanban: append these signals to the queue. */
    enqueue: p('tps.kanban.enqueue'),
    /** To kanban: make sure that the lanes of these types exist. */
    lanes: p('tps.kanban.lanes'),
    /** To kanban: find an unfinished signal. */
    find: p('tps.kanban.find'),
    /** To kanban: remove a signal that has not started. */
    cancel: p('tps.kanban.cancel'),
    /** To kanban: a page of the signals that are not finished. */
    openSignals: p('tps.kanban.open'),
    /** To kanban: which runs of these signals are not finished. */
    openRuns: p('tps.kanban.runs'),
    /** To andon: a page of the signals that are finished. */
    finishedSignals: p('tps.records.finished'),
    /** To kanban: a page of the dead letters. */
    deadLetters: p('tps.kanban.letters'),
    /** To kanban: the dead letter of one signal. */
    deadLetter: p('tps.kanban.letter'),
    /** To kanban: delete dead letters. */
    purge: p('tps.kanban.purge'),
    /** To kanban: run the signal of one dead letter again. */
    requeue: p('tps.kanban.retry'),
    /** To kanban: begin a redrive. */
    redriveStart: p('tps.redrives.start'),
    /** To kanban: how far one redrive is. */
    redrive: p('tps.redrives.get'),
    /** To kanban: all redrives. */
    redrives: p('tps.redrives.list'),
    /** To kanban: retire a signal type. */
    retire: p('tps.kanban.retire'),
    /** To all kanban processes, each of which answers: accept no more signals of a type that is being retired. */
    seal: p('tps.kanban.seal'),
    /** To jidoka: remove the circuit of a retired type. */
    retireCircuit: p('tps.jidoka.retire'),
    /** To andon: close the call of a retired type, and switch its light off. */
    retireLine: p('tps.calls.retire'),
    /** To heijunka: remove the rate of a retired type, and its place in the schedule. */
    retireLevels: p('tps.heijunka.retire'),
    /** To kanban: how many cards a type has from now on. */
    cards: p('tps.kanban.cards'),
    /** To heijunka: how many signals of a type may start per second from now on. */
    rate: p('tps.heijunka.rate'),
    /** To all workers, each of which answers: who holds this signal, and has it started? */
    workerInFlight: p('tps.worker.holds'),
    /** To all workers, each of which answers: refuse this signal from now on. */
    workerBlock: p('tps.worker.refuse'),
    /** A worker process listens to its own: where nobody does, its connection is gone. */
    workerAlive: (process: string) => p(`tps.worker.alive.${process}`),
    /** To andon: the records of these signals. */
    lookup: p('tps.records.lookup'),
    /** To kaizen: a production report. */
    report: p('tps.kaizen.report'),
    /** To kaizen: asks for the improvements that it proposes. */
    suggestions: p('tps.kaizen.suggestions'),
    /** To a service: its view of itself, see `BOARDS`. */
    board: (service: ServiceName) => p(`tps.board.${service}`),
    /** A `Heartbeat` of every process, each second; `*` for all services. */
    heartbeat: (service: ServiceName | '*') => p(`tps.beat.${service}`),
    /** An `ArrivalsMessage` of every kanban process, each second while there is work. */
    arrivals: p('tps.arrivals'),
    /** Stream OUTCOMES: final outcomes, `Outcome[]`. */
    outcomeBatch: p('tps.outcomes.batch'),
    /** Stream OUTCOMES: an attempt of this signal that ended without a final outcome, `Outcome[]` of one. */
    outcomeAttempt: (id: string) => p(`tps.outcomes.attempt.${id}`),
    /** Stream KANBAN: one accepted signal. */
    work: (type: string, priority: number | '*', id: string) => p(`tps.kanban.${type}.${priority}.${id}`),
    /** Stream DEAD: the dead letters of a type. */
    dead: (type: string) => p(`tps.dead.${type}`),
    /** Stream ANDON: the events of a line, by its `lineName`. */
    andon: (line: string) => p(`tps.andon.${line}`),
  } as const;
}
