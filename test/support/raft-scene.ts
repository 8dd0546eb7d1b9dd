// What a golden script acts on: how the world begins, the world itself, and what it has shown.
import { assert } from '../../src/assert.ts'
import { asNodeId, asTerm } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { RaftOptions } from '../../src/raft/state.ts'
import { createWorld, memberOf } from './raft-world.ts'
import type { Member, World, WorldEvent } from './raft-world.ts'

export interface Scene {
  setup: { id: NodeId; patience: number; term: number; votedFor: NodeId | null; entries: Entry[] }[]
  options: Partial<Record<Exclude<keyof RaftOptions, 'commitNews'>, number>>
  world: World | null
  readonly traces: Set<string>
  /** Messages sent since `count` was last asked, by kind. */
  readonly counts: Map<string, number>
  /** What the command under way has shown. */
  readonly lines: string[]
  startedAt: number
  readonly watch: (event: WorldEvent) => void
}

export type Verb = (scene: Scene, words: readonly string[]) => void

export function worldOf(scene: Scene): World {
  scene.world ??= createWorld({
    members: scene.setup.map(({ id, patience, term, votedFor, entries }) => {
      return { id, random: () => patience, stored: { term: asTerm(term), votedFor, entries } }
    }),
    options: scene.options as Partial<RaftOptions>,
    networkMs: 1,
    diskMs: 1,
    watch: scene.watch,
  })
  return scene.world
}

export function setupOf(scene: Scene, name: string | undefined): Scene['setup'][number] {
  assert(scene.world === null, 'the world has begun')
  const member = scene.setup.find(({ id }) => id === name)
  assert(member !== undefined, `${name} is a member`)
  return member
}

export function one(world: World, name: string | undefined): Member {
  return memberOf(world, asNodeId(name ?? ''))
}

export function membersOf(world: World, name: string | undefined): readonly Member[] {
  return name === 'all' ? world.members : [one(world, name)]
}
