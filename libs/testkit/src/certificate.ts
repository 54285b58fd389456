import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A self-signed certificate for 127.0.0.1 and localhost, valid for a day, in a temporary folder. Needs the program `openssl`. */
export class Certificate {
  private constructor(private readonly folder: string) {}

  /** Creates the folder with key and certificate. Call {@link remove} when the test is over. */
  static async make(): Promise<Certificate> {
    const certificate = new Certificate(await mkdtemp(join(tmpdir(), 'tps-tls-')));
    await certificate.renew();
    return certificate;
  }

  /** Path of the certificate (PEM); it is its own CA. */
  get cert(): string {
    return join(this.folder, 'cert.pem');
  }

  /** Path of the private key (PEM). */
  get key(): string {
    return join(this.folder, 'key.pem');
  }

  /** Replaces key and certificate by new ones in the same files. */
  async renew(): Promise<void> {
    await run('openssl', [
      ...['req', '-x509', '-nodes', '-days', '1', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
      ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
      ...['-keyout', this.key, '-out', this.cert],
    ]);
  }

  /** Deletes the folder. */
  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
