// The verbs of golden scripts that happen to processes and to their disks.
//
//   write n1 [count]              completes writes of a disk that hangs
//   crash n1 [writes that were done]; restart n1 [frames]: with `frames` those of its earlier run still arrive
//   forget n1 2                   its disk loses the last two entries, which disks must not do; only while it is down
//   stall n1; resume n1; gone n2 n1; connected n2 n1 [restarted]
//   checkpoint n1 [tail]          of what it has applied; its log is trimmed behind it, but for a tail of entries
//   snapshots 50; snapshots hold  how long one is on its way; with `hold` until it arrives by `arrive n1 n2`, or `fail n1 n2`
//   donate n1 n2                  sends n2 the checkpoint of n1, though no core asked for it
//   wipe n1 [frames]; damage n1   its disk is another, empty one; its checkpoint is lost; only while it is down
//   remount n1                    the first disk it had is in place again, as it was; only while it is down
//   replace n1 n2                 asks n1 to propose that n2 has the disk that it has
import { assert } from '../../src/assert.ts'
import { asIndex } from '../../src/ids.ts'
import { writeImage } from './raft-log-image.ts'
import { membersOf, one, worldOf } from './raft-scene.ts'
import type { Verb } from './raft-scene.ts'
import { beginSending } from './raft-sendings.ts'
import { completeSending, makeCheckpoint, trim } from './raft-snapshots.ts'
import { changeDisk, completeWrite, crash, endSending, give, restart, resume } from './raft-world.ts'

export const diskVerbs: Readonly<Record<string, Verb>> = {
  // ---- processes and disks
  write(scene, [name, count]) {
    const world = worldOf(scene)
    for (const member of membersOf(world, name)) {
      completeWrite(world, member, count === undefined ? member.disk.queue.length : Number(count))
      give(world, member, { kind: 'tick' })
    }
  },
  crash(scene, [name, durable]) {
    for (const member of membersOf(worldOf(scene), name)) crash(worldOf(scene), member, Number(durable ?? 0))
  },
  restart(scene, [name, frames]) {
    for (const member of membersOf(worldOf(scene), name)) {
      restart(worldOf(scene), member, { dropOldFrames: frames !== 'frames' })
    }
  },
  forget(scene, [name, count]) {
    const { isUp, disk } = one(worldOf(scene), name)
    assert(!isUp, 'a running process would notice')
    const truncateFrom = asIndex(disk.log.entries.length + 1 - Number(count))
    writeImage(disk.log, worldOf(scene).history.names, { truncateFrom, entries: [], trimTo: null })
  },
  stall(scene, [name]) {
    for (const member of membersOf(worldOf(scene), name)) member.isStalled = true
  },
  resume(scene, [name]) {
    for (const member of membersOf(worldOf(scene), name)) resume(worldOf(scene), member)
  },
  gone(scene, [name, peer]) {
    const world = worldOf(scene)
    give(world, one(world, name), { kind: 'peerGone', peer: one(world, peer).id })
  },
  connected(scene, [name, peer, restarted]) {
    const world = worldOf(scene)
    give(world, one(world, name), {
      kind: 'peerConnected',
      peer: one(world, peer).id,
      restarted: restarted === 'restarted',
    })
  },

  // ---- checkpoints, snapshots, other disks
  checkpoint(scene, [name, tail]) {
    const world = worldOf(scene)
    for (const member of membersOf(world, name)) {
      assert(makeCheckpoint(world, member), `${member.id} can make a checkpoint`)
      trim(world, member, Number(tail ?? 0))
    }
  },
  snapshots(scene, [latency]) {
    worldOf(scene).snapshotMs = latency === 'hold' ? null : Number(latency)
  },
  donate(scene, [name, to]) {
    const world = worldOf(scene)
    beginSending(world, one(world, name), one(world, to).id, world.snapshotMs ?? Infinity)
  },
  arrive(scene, [name, to]) {
    const world = worldOf(scene)
    for (const sending of one(world, name).sendings.filter((each) => each.to === to)) {
      completeSending(world, one(world, name), sending)
      give(world, one(world, to), { kind: 'tick' })
    }
  },
  fail(scene, [name, to]) {
    const world = worldOf(scene)
    for (const sending of one(world, name).sendings.filter((each) => each.to === to)) endSending(world, sending, null)
  },
  wipe(scene, [name, frames]) {
    for (const member of membersOf(worldOf(scene), name)) {
      changeDisk(worldOf(scene), member, { to: 'empty', dropOldFrames: frames !== 'frames' })
    }
  },
  remount(scene, [name]) {
    for (const member of membersOf(worldOf(scene), name)) {
      changeDisk(worldOf(scene), member, { to: 'former', dropOldFrames: true })
    }
  },
  damage(scene, [name]) {
    const { isUp, disk } = one(worldOf(scene), name)
    assert(!isUp, 'a running process would notice')
    disk.checkpoint = null
  },
  replace(scene, [name, other]) {
    const world = worldOf(scene)
    const { id: member, disk } = one(world, other)
    give(world, one(world, name), { kind: 'replaceMember', member, incarnation: disk.incarnation })
    give(world, one(world, name), { kind: 'tick' })
  },
}
