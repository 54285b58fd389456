export { sampleCall } from './calls';
export { type CollectedSpan, TraceCollector } from './collector';
export { BinaryMissingError, NatsServer } from './nats-server';
export { RabbitServer } from './rabbit-server';
export { sampleOutcome } from './outcomes';
export { freePort, freePorts } from './ports';
export { waitFor, WaitTimeoutError } from './wait';
