// What fast-check draws for the property of partitions: a cluster, three clients and a list of steps. A schedule is plain
// data in which every step makes sense wherever it stands (what it names is looked up when it is played, and when there is
// nothing to do, nothing is done), so any part of it may be taken out while it shrinks.
import fc from 'fast-check'
import { unreachable } from '../../../src/assert.ts'

/** A machine by its position, modulo how many there are, or whoever leads at that moment. */
export type Where = number | 'leader'

export const clientNames = ['x', 'y', 'z'] as const
export type ClientName = (typeof clientNames)[number]

export type Step =
  | { readonly kind: 'pass'; readonly ms: number }
  // Of the network and the machines.
  | { readonly kind: 'isolate'; readonly at: Where }
  | { readonly kind: 'cutLink'; readonly from: Where; readonly to: Where }
  | { readonly kind: 'cutOneWay'; readonly from: Where; readonly to: Where }
  | { readonly kind: 'reset'; readonly from: Where; readonly to: Where }
  | { readonly kind: 'heal' }
  | { readonly kind: 'crash'; readonly at: Where; readonly dark: boolean }
  | { readonly kind: 'restart'; readonly at: Where }
  | { readonly kind: 'pause'; readonly at: Where; readonly ms: number }
  | { readonly kind: 'read'; readonly at: Where }
  // Of a client. Whoever asks again while its request is open asks under the same request id.
  | { readonly kind: 'ask'; readonly client: ClientName; readonly at: Where }
  | { readonly kind: 'retry'; readonly client: ClientName; readonly at: Where }
  | { readonly kind: 'release'; readonly client: ClientName; readonly at: Where }
  | { readonly kind: 'renew'; readonly client: ClientName; readonly at: Where }
  | { readonly kind: 'hangUp'; readonly client: ClientName }
  | { readonly kind: 'giveUp'; readonly client: ClientName }

export interface Schedule {
  readonly members: 3 | 5
  /** Clients who have a session; the grants of the others have a TTL of their own. */
  readonly withSession: readonly ClientName[]
  readonly steps: readonly Step[]
}

/** From a moment to what it takes to be given up as lost (H12). */
const ms = fc.constantFrom(2, 10, 50, 300, 1500, 4000, 12_000)
const where: fc.Arbitrary<Where> = fc.oneof(
  { withCrossShrink: true },
  { weight: 2, arbitrary: fc.constant('leader') },
  { weight: 3, arbitrary: fc.nat(4) },
)
/** The first does most, so that it often has several attempts on their way. */
const client = fc.constantFrom<ClientName[]>('x', 'x', 'x', 'y', 'y', 'z')

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 14, arbitrary: fc.record({ kind: fc.constant('pass'), ms }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('isolate'), at: where }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cutLink'), from: where, to: where }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cutOneWay'), from: where, to: where }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset'), from: where, to: where }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'heal' }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash'), at: where, dark: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('restart'), at: where }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pause'), at: where, ms }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read'), at: where }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('ask'), client, at: where }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('retry'), client, at: where }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('release'), client, at: where }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('renew'), client, at: where }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('hangUp'), client }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('giveUp'), client }) },
)

const readableStep = step.map((drawn) => ({ ...drawn, [fc.toStringMethod]: () => describe(drawn) }))

export const schedules: fc.Arbitrary<Schedule> = fc.record({
  members: fc.constantFrom(3, 3, 5),
  withSession: fc.subarray([...clientNames]),
  steps: fc.array(readableStep, { maxLength: 60, size: 'max' }),
})

/** A step in words, as fast-check shows it. */
export function describe(step: Step): string {
  switch (step.kind) {
    case 'pass':
      return `${step.ms} ms pass`
    case 'isolate':
      return `${nameOf(step.at)} is cut from all`
    case 'cutLink':
      return `${nameOf(step.from)} and ${nameOf(step.to)} are cut from each other`
    case 'cutOneWay':
      return `nothing gets from ${nameOf(step.from)} to ${nameOf(step.to)}`
    case 'reset':
      return `the links between ${nameOf(step.from)} and ${nameOf(step.to)} are reset`
    case 'heal':
      return 'all cuts heal'
    case 'crash':
      return `${nameOf(step.at)} ${step.dark ? 'loses its power' : 'is killed'}`
    case 'restart':
      return `${nameOf(step.at)} starts again`
    case 'pause':
      return `${nameOf(step.at)} is frozen for ${step.ms} ms`
    case 'read':
      return `somebody reads at ${nameOf(step.at)}`
    case 'ask':
      return `${step.client} asks for the lock at ${nameOf(step.at)}`
    case 'retry':
      return `${step.client} hangs up and asks again at ${nameOf(step.at)}`
    case 'release':
      return `${step.client} releases at ${nameOf(step.at)}`
    case 'renew':
      return `${step.client} renews at ${nameOf(step.at)}`
    case 'hangUp':
      return `${step.client} hangs up its oldest call`
    case 'giveUp':
      return `${step.client} hangs up and forgets its request`
    default:
      return unreachable(step)
  }
}

function nameOf(where: Where): string {
  return where === 'leader' ? 'the leader' : `n${where + 1}`
}
