// The verbs of golden scripts. Before the first verb that needs a world, `cluster`, `stored` and `options` say how it
// begins.
//
//   cluster 3                     members n1 n2 n3; later ones have more patience (timeouts 500, 667, 833 ms)
//   patience n2 0.1               its timeouts: 0 is the shortest, 1 the longest
//   stored n1 term 6 log 1x3 4    what its disk holds; `2..8/2x10` are ten entries each of terms 2, 4, 6, 8
//   options windowBytesMax 500
//   trace messages disk applies   what is shown besides roles, reads and refusals; `trace` alone: nothing more
//   network 5; disk n1 20; disk all hang
//   run 500; run until leader; run until quiet     the world lives by itself
//   load 10; load off             proposes to the leader every so many ms while the world runs
//   elapse n1                     only its timeout passes
//   elect n1                      that, and all that follows, until it has committed its no-op; shows only that it leads
//   hold n1->n2; free n1-n2       links that only the script moves; `n1` is all its links, `all` is all
//   deliver n1->n2 [count] [kind]; drop ...; repeat ...; newest n1->n2; queue
//   cut n1-n2; heal all
//   and those of `raft-script-disks.ts`
//   propose n1 x y x*20; read n1 7; transfer n1 [n2]; tick n1; wait 100
//   status [n1 ..]; times [n1 ..]; count [kind]
import { assert } from '../../src/assert.ts'
import { asClusterTime, asIndex, asNodeId, asTerm } from '../../src/ids.ts'
import type { Entry } from '../../src/raft/entry.ts'
import { wakeAt } from '../../src/raft/step.ts'
import { startWriting } from './raft-disk.ts'
import { cutLink, linkName, take } from './raft-network.ts'
import type { Flight, Link } from './raft-network.ts'
import { printMember, printMessage } from './raft-print.ts'
import { run } from './raft-run.ts'
import { membersOf, one, setupOf, worldOf } from './raft-scene.ts'
import type { Verb } from './raft-scene.ts'
import { diskVerbs } from './raft-script-disks.ts'
import { deliver, give, newestLeader } from './raft-world.ts'
import type { Member, World } from './raft-world.ts'

export const verbs: Readonly<Record<string, Verb>> = {
  ...diskVerbs,

  // ---- how it begins
  cluster(scene, [count]) {
    scene.setup = Array.from({ length: Number(count) }, (_, position) => {
      const stored = { term: 0, votedFor: null, entries: [] }
      return { ...stored, id: asNodeId(`n${position + 1}`), patience: position / Number(count) }
    })
  },
  patience(scene, [name, value]) {
    setupOf(scene, name).patience = Number(value)
  },
  stored(scene, [name, ...words]) {
    const member = setupOf(scene, name)
    const log = words.indexOf('log')
    member.term = Number(words[words.indexOf('term') + 1])
    if (words.includes('vote')) member.votedFor = asNodeId(words[words.indexOf('vote') + 1] ?? '')
    if (log >= 0) member.entries = entriesOfTerms(words.slice(log + 1).flatMap(termsOf))
  },
  options(scene, [name, value]) {
    scene.options = { ...scene.options, [name ?? '']: Number(value) }
  },
  trace(scene, names) {
    scene.traces.clear()
    for (const name of names) scene.traces.add(name)
  },

  // ---- time
  network(scene, [latency]) {
    worldOf(scene).network.latencyMs = Number(latency)
  },
  disk(scene, [name, latency]) {
    const world = worldOf(scene)
    for (const member of membersOf(world, name)) {
      member.disk.latencyMs = latency === 'hang' ? null : Number(latency)
      if (latency === 'hang') member.disk.writing = null
      startWriting(member.disk, world.now)
    }
  },
  run(scene, [word, what, limit]) {
    const world = worldOf(scene)
    if (word !== 'until') {
      run(world, world.now + Number(word))
      return
    }
    const end = world.now + Number(limit ?? 10_000)
    const isEnough = what === 'leader' ? () => world.members.some(serves) : () => isQuiet(world)
    if (!run(world, end, isEnough)) scene.lines.push(`no ${what} within ${end - scene.startedAt} ms`)
  },
  load(scene, [interval]) {
    const world = worldOf(scene)
    const everyMs = Number(interval)
    world.timer = interval === 'off' ? null : { everyMs, dueAt: world.now, act: () => proposeToLeader(world) }
  },
  wait(scene, [ms]) {
    worldOf(scene).now += Number(ms)
  },
  tick(scene, [name]) {
    const world = worldOf(scene)
    give(world, one(world, name), { kind: 'tick' })
  },
  elapse(scene, [name]) {
    lapse(worldOf(scene), one(worldOf(scene), name))
  },
  elect(scene, [name]) {
    const world = worldOf(scene)
    const member = one(world, name)
    const linesBefore = scene.lines.length
    lapse(world, member)
    const isElected = run(world, world.now + 200, () => serves(member) && newestLeader(world) === member)
    assert(isElected, `${member.id} is elected; ${scene.lines.slice(-6).join(', ')}`)
    scene.lines.length = linesBefore
    scene.lines.push(`${member.id} leads term ${member.state.currentTerm}`)
  },

  // ---- links
  hold(scene, words) {
    for (const link of linksOf(worldOf(scene), words)) worldOf(scene).network.held.add(linkName(link))
  },
  free(scene, words) {
    for (const link of linksOf(worldOf(scene), words)) worldOf(scene).network.held.delete(linkName(link))
  },
  cut(scene, words) {
    for (const link of linksOf(worldOf(scene), words)) cutLink(worldOf(scene).network, link)
  },
  heal(scene, words) {
    for (const link of linksOf(worldOf(scene), words)) worldOf(scene).network.cut.delete(linkName(link))
  },
  deliver(scene, words) {
    arrive(worldOf(scene), queued(worldOf(scene), words), false)
  },
  repeat(scene, words) {
    arrive(worldOf(scene), queued(worldOf(scene), words), true)
  },
  newest(scene, words) {
    arrive(worldOf(scene), queued(worldOf(scene), words).slice(-1), false)
  },
  drop(scene, words) {
    for (const flight of queued(worldOf(scene), words)) take(worldOf(scene).network, flight)
  },
  queue(scene, words) {
    const waiting = queued(worldOf(scene), words.length === 0 ? ['all'] : words)
    for (const { from, to, message } of waiting) scene.lines.push(`${from} -> ${to} ${printMessage(message)}`)
  },

  // ---- what clients and operators ask for
  propose(scene, [name, ...payloads]) {
    const world = worldOf(scene)
    const member = one(world, name)
    for (const word of payloads) {
      const [payload = '', count = '1'] = word.split('*')
      for (let copy = 0; copy < Number(count); copy++) give(world, member, proposal(payload))
    }
    give(world, member, { kind: 'tick' })
  },
  read(scene, [name, id]) {
    const world = worldOf(scene)
    give(world, one(world, name), { kind: 'read', id: Number(id) })
    give(world, one(world, name), { kind: 'tick' })
  },
  transfer(scene, [name, to]) {
    const world = worldOf(scene)
    give(world, one(world, name), { kind: 'transferLeadership', to: to === undefined ? null : asNodeId(to) })
  },

  // ---- what can be looked at
  status(scene, words) {
    const world = worldOf(scene)
    for (const member of words.length === 0 ? world.members : words.map((name) => one(world, name))) {
      scene.lines.push(printMember(member))
    }
  },
  times(scene, words) {
    const world = worldOf(scene)
    const members = words.length === 0 ? world.members : words.map((name) => one(world, name))
    for (const { id, log } of members) scene.lines.push(`${id} cluster time ${log.entries.at(-1)?.time ?? 0}`)
  },
  count(scene, kinds) {
    for (const kind of kinds.length > 0 ? kinds : [...scene.counts.keys()].sort()) {
      scene.lines.push(`${kind} ${scene.counts.get(kind) ?? 0}`)
    }
    scene.counts.clear()
  },
}

function lapse(world: World, member: Member): void {
  assert(member.state.role.kind !== 'leader', 'only who does not lead has an election timeout')
  member.clockAhead = Math.max(member.clockAhead, wakeAt(member.state) - world.now)
  give(world, member, { kind: 'tick' })
}

function termsOf(word: string): number[] {
  const [, first, last = first, stride = '1', count = '1'] =
    /^(\d+)(?:\.\.(\d+))?(?:\/(\d+))?(?:x(\d+))?$/.exec(word) ?? []
  const terms: number[] = []
  for (let term = Number(first); term <= Number(last); term += Number(stride)) {
    for (let copy = 0; copy < Number(count); copy++) terms.push(term)
  }
  assert(terms.length > 0, `${word} means terms`)
  return terms
}

/** Entries found on a disk at the beginning: an entry of the same term and index is the same everywhere. */
function entriesOfTerms(terms: readonly number[]): Entry[] {
  return terms.map((term, position) => {
    return { index: asIndex(position + 1), term: asTerm(term), time: asClusterTime(0), payload: new Uint8Array(0) }
  })
}

function proposal(payload: string): { kind: 'propose'; payload: Uint8Array; note: null; exempt: boolean } {
  return { kind: 'propose', payload: new Uint8Array(Buffer.from(payload, 'latin1')), note: null, exempt: false }
}

function proposeToLeader(world: World): void {
  const leader = newestLeader(world)
  if (leader !== null) give(world, leader, proposal('x'))
}

/** It leads and knows what is committed. */
function serves({ isUp, state }: Member): boolean {
  return isUp && state.role.kind === 'leader' && state.commitIndex >= state.role.termStart
}

/** Nothing under way but heartbeats, and everybody who runs has applied what the leader has. */
function isQuiet(world: World): boolean {
  const leader = newestLeader(world)
  if (leader === null || world.members.some(({ disk }) => disk.queue.length > 0)) return false
  const { lastIndex } = leader.state.log
  return world.members.every(({ isUp, appliedIndex }) => !isUp || appliedIndex === lastIndex)
}

/** `n1->n2`, `n1-n2` (both ways), `n1` (all its links) or `all`; words that name no link are left out. */
function linksOf(world: World, words: readonly string[]): Link[] {
  const ids = world.members.map(({ id }) => id)
  const all = ids.flatMap((from) => ids.filter((to) => to !== from).map((to) => ({ from, to })))
  return all.filter(({ from, to }) =>
    words.some((word) => {
      if (word === 'all' || word === `${from}->${to}` || word === `${from}-${to}` || word === `${to}-${from}`)
        return true
      return word === from || word === to
    }),
  )
}

/** The messages on the links that the words name, oldest first: `[count] [kind]` narrow the choice. */
function queued(world: World, words: readonly string[]): Flight[] {
  const links = new Set(linksOf(world, words).map(linkName))
  const kind = words.find((word) => /^[a-z]+[A-Z]/.test(word))
  const count = words.find((word) => /^\d+$/.test(word))
  const flights = world.network.flights.filter((flight) => links.has(linkName(flight)))
  const ofKind = kind === undefined ? flights : flights.filter(({ message }) => message.kind === kind)
  return count === undefined ? ofKind : ofKind.slice(0, Number(count))
}

/** The receivers' turns end when everything chosen has arrived. */
function arrive(world: World, flights: readonly Flight[], keep: boolean): void {
  for (const flight of flights) deliver(world, flight, keep)
  for (const member of world.members) {
    if (flights.some(({ to }) => to === member.id)) give(world, member, { kind: 'tick' })
  }
}
