// A keeper without a thread, for worlds in which nothing blocks and time is a number: the same two halves, the one handing
// what it says to the other through two queues. In a real process a blocked event loop would lose what it keeps.
import type { FromRenewer, ToRenewer } from './keeper-messages.ts'
import { LeaseKeeper } from './keeper.ts'
import type { Keeper, KeeperOptions, LinkEvents, RenewerLink } from './keeper.ts'
import { Renewer } from './renewer.ts'
import type { RenewerParts } from './renewer.ts'
import type { Surroundings } from './surroundings.ts'
import { sendBy } from './renewal-exchange.ts'

export interface NearbyParts {
  readonly surroundings: Pick<Surroundings, 'clock' | 'setTimer' | 'random' | 'exchange'>
  /** What `onLost` asks for: an exit in order, an end at once. */
  readonly exit: (code: number) => void
  readonly kill: () => void
}

export function nearbyKeeper(options: KeeperOptions, { surroundings, exit, kill }: NearbyParts): Keeper {
  const { clock, random } = surroundings
  const setTimer = (delayMs: number, fire: () => void) => surroundings.setTimer(delayMs, fire)
  const send = sendBy((request) => surroundings.exchange(request))
  return new LeaseKeeper({
    clock,
    setTimer,
    connect: (events) => connect(options, { clock, random, setTimer, send, kill }, events),
    exit,
  })
}

function connect(
  options: KeeperOptions,
  parts: Omit<RenewerParts, 'receive' | 'post'>,
  events: LinkEvents,
): RenewerLink {
  const { toRenewer, fromRenewer }: { toRenewer: ToRenewer[]; fromRenewer: FromRenewer[] } = {
    toRenewer: [],
    fromRenewer: [],
  }
  let isClosed = false
  const renewer = new Renewer(options, {
    ...parts,
    receive: () => toRenewer.shift(),
    post: (news) => {
      fromRenewer.push(news)
      queueMicrotask(() => {
        const first = fromRenewer.shift()
        if (first !== undefined) events.news(first)
      })
    },
  })
  return {
    post: (message) => {
      if (isClosed) return
      toRenewer.push(message)
      queueMicrotask(() => renewer.run())
    },
    receive: () => fromRenewer.shift(),
    close: async () => {
      isClosed = true
      renewer.run()
    },
  }
}
