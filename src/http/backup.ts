// The route by which a backup leaves a running node, as a stream that goes no faster than its reader. Everything that was
// answered before the call is in it: it begins with a round that asks the others, unless the client wants what this node
// has, which is all there is when the majority is lost.
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { Backup } from '../node/backup.ts'
import * as api from './api.ts'
import { documented, ofReads } from './documented.ts'
import { stamp } from './door.ts'
import type { App, Door, ServedReplica } from './door.ts'
import type { ErrorCode } from './errors.ts'
import { sendProblem, whyNotReady } from './problem.ts'

export function addBackupRoute(app: App, door: Door): void {
  const meter = door.metrics.meter('backup')
  const refuse = (reply: FastifyReply, code: ErrorCode, detail: string): void => {
    meter.refused(code)
    sendProblem(door, reply, { code, detail })
  }
  const send = (reply: FastifyReply, replica: ServedReplica): void => {
    if (reply.raw.destroyed) return
    const backup = replica.backups.begin(replica.core.raft.commitIndex)
    if (backup === 'busy') return refuse(reply, 'overloaded', 'another backup is being taken from this node')
    if (backup === 'stateMissing') return refuse(reply, 'no_leader', 'this node has no state: ask another')
    meter.refused('ok')
    stamp(door, reply, backup.to)
    const name = `holdfast-${door.node.founding?.clusterId.slice(0, 8)}-${backup.to}.backup`
    reply.header('content-disposition', `attachment; filename="${name}"`)
    reply.type('application/octet-stream').send(streamOf(backup, door))
  }

  const schema = documented({
    tag: 'operation',
    summary: 'A copy of everything committed, from which a new cluster can be founded; one at a time per node',
    answers: { 200: api.BackupFile },
    problems: ofReads,
  })
  app.get(
    '/v1/backup',
    { schema: { ...schema, querystring: api.ReadQuery }, exposeHeadRoute: false },
    ({ query }, reply) => {
      const { replica } = door.node
      const noLeader = (): void => {
        if (!reply.raw.destroyed) refuse(reply, 'no_leader', whyNotReady(door))
      }
      if (replica?.hasState !== true) noLeader()
      else if (query.consistency === 'stale') send(reply, replica)
      else replica.read({ ready: () => send(reply, replica), noLeader })
    },
  )
}

/** A reader that leaves ends the backup; a backup that ends before its end breaks the connection. */
function streamOf(backup: Backup, { log }: Door): Readable {
  return new Readable({
    read() {
      backup.read((error, piece) => {
        if (error === null) this.push(piece)
        else if (!this.destroyed) this.destroy(error)
      })
    },
    destroy(error, done) {
      if (error !== null) log.warn({ reason: error.message }, 'a backup was broken off')
      backup.close()
      done(error)
    },
  })
}
