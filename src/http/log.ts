// The log of a process: pino's JSON lines on stdout, taken from Fastify. The server that answers requests has no logger of
// its own: with one, even a silent one, Fastify makes a child logger and two listeners for every request, a tenth of
// what a request costs. Lines never hold metadata of clients.
//
// Lines are written before the call returns: pino's own stream would write the last ones at the exit, behind the line that
// says why the process ends.
import { fastify } from 'fastify'
import type { FastifyBaseLogger } from 'fastify'
import type { LogLevel } from '../config.ts'
import type { Report } from '../node/host.ts'

export function createLog(node: string, level: LogLevel): FastifyBaseLogger {
  return fastify({ logger: { level, base: { node }, stream: process.stdout } }).log
}

/** Writes what the node has to say. */
export function writeReport(log: FastifyBaseLogger, { level, message, details }: Report): void {
  log[level](details ?? {}, message)
}
