import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { exitCodes } from '../../src/exit-codes.ts'
import { BackupEncoder } from '../../src/storage/backup-format.ts'
import { someFounding } from '../storage/builders.ts'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import { ProcessCluster, until } from '../support/cluster-processes.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const encoder = new BackupEncoder()
/** Of a cluster in which nothing has happened yet. */
const bytes = Buffer.concat([encoder.open({ ...someFounding, checkpoint: null }), encoder.close()])
const file = join(folder, 'good.backup')
writeFileSync(file, bytes)

t.test('what is no whole backup is refused before anything is written', async (t) => {
  const flipped = Buffer.from(bytes)
  flipped[bytes.length >> 1] = (flipped[bytes.length >> 1] ?? 0) ^ 4
  const newer = Buffer.from(bytes)
  newer[16] = 99
  const wrong: readonly (readonly [string, Buffer | null, RegExp])[] = [
    ['flipped', flipped, /its checksum is wrong/],
    ['cut', bytes.subarray(0, -1), /its checksum is wrong/],
    ['foreign', Buffer.from('#!/bin/sh\nexit 1\n'.repeat(10)), /it is not a backup/],
    ['newer', newer, /version 99 of the format/],
    ['missing', null, /ENOENT/],
  ]
  const cluster = await ProcessCluster.prepare(t, 1)
  const [node] = cluster.nodes
  if (node === undefined) throw new Error('a cluster of one')
  for (const [name, content, said] of wrong) {
    const path = join(folder, `${name}.backup`)
    if (content !== null) writeFileSync(path, content)
    node.start({ restore: path })
    t.equal(await node.exited(), exitCodes.backup_damaged.code, name)
    t.match(node.log.split('\n').at(-2), said)
  }
  t.notOk(existsSync(node.folder), 'it has no folder')
})

t.test('members that were given different files found nothing', async (t) => {
  const cluster = await ProcessCluster.prepare(t, 3)
  const [with1, with2, without] = cluster.nodes
  if (with1 === undefined || with2 === undefined || without === undefined) throw new Error('a cluster of three')
  with1.start({ restore: file })
  with2.start({ restore: file })
  without.start()
  await until('the refusal is in the log', async () => without.log.includes('other_backup'))
  const ready = await until('it answers', async () => call(`${with1.url}/readyz`, { method: 'GET' }))
  t.equal(ready.status, 503)
  await without.stop()
  without.start({ restore: file })
  await Promise.all(cluster.nodes.map((node) => node.ready()))
  t.equal(tokenIn(await call(lockUrl(without.url, 'a', 'acquire'), { body: {} })), 10 ** 12 + 1)
})
