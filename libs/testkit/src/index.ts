export { sampleCall } from './calls';
export { Certificate } from './certificate';
export { type CollectedSpan, TraceCollector } from './collector';
export { BinaryMissingError, NatsServer, type NatsServerOptions } from './nats-server';
export { RabbitServer } from './rabbit-server';
export { sampleOutcome } from './outcomes';
export { freePort, freePorts } from './ports';
export { type ProxyMode, TcpProxy } from './tcp-proxy';
export { waitFor, WaitTimeoutError } from './wait';
