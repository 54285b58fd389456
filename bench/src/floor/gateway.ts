import { connect } from '@nats-io/transport-node';
import express from 'express';
import { Line } from './line';
import { endWithParent, floorArguments } from './wire';

/** The gateway of the floor: `POST /signal` -> stream -> worker -> 202 with the result. It checks nothing. */
async function main(): Promise<void> {
  endWithParent();
  const { url, httpPort } = floorArguments();
  const line = new Line(await connect({ servers: url, name: 'floor gateway', noAsyncTraces: true }));
  const app = express().disable('x-powered-by').disable('etag');
  app.post('/signal', express.json(), (request, response) => {
    line.submit(request.body as { signal_type: string; payload: unknown }, (id, done) => {
      if (done) response.status(202).json({ success: done.success, signal_id: id, result: done.result });
      else response.status(503).json({ success: false, code: 'NO_BROKER', signal_id: id });
    });
  });
  app.listen(httpPort, '127.0.0.1');
}

void main();
