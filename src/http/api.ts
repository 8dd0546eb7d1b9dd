// The HTTP contract as schemas: what validates requests, what serialises answers, what the OpenAPI document is made from,
// and the types that both ends of a call are written against. Rules that compare two fields stand with their routes.
import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { errorCodes } from './errors.ts'
import type { ErrorCode } from './errors.ts'
import { lockNameRule } from './names.ts'

/** Durations in milliseconds, sizes in bytes. */
export const limits = {
  ttlMinMs: 1000,
  ttlMaxMs: 86_400_000,
  ttlDefaultMs: 30_000,
  /** How long a connection may be kept waiting: a wait without a session, and every poll. */
  callMaxMs: 240_000,
  waitMaxMs: 86_400_000,
  pollDefaultMs: 60_000,
  sessionsPerRenewalMax: 1000,
  metadataBytesMax: 4096,
  metadataDepthMax: 32,
  labelMax: 256,
  requestIdAloneMin: 16,
  pageDefault: 100,
  pageMax: 1000,
  bodyBytesMax: 64 * 1024,
  renewalBodyBytesMax: 256 * 1024,
} as const

// ---- fields

/** For texts and objects that may be null. A union would be validated again whenever an answer is written. */
function orNull<Schema extends TSchema & { type: string }>(schema: Schema) {
  return Type.Unsafe<Static<Schema> | null>({ ...schema, type: [schema.type, 'null'] })
}

function oneOf<const Texts extends readonly string[]>(texts: Texts, options: Readonly<Record<string, unknown>> = {}) {
  return Type.Unsafe<Texts[number]>({ type: 'string', enum: texts, ...options })
}

const count = (description: string) => Type.Integer({ minimum: 0, description })
const idPattern = '^[A-Za-z0-9._:-]{1,128}$'

const LockName = Type.String({ format: 'lock-name', description: lockNameRule })
const SessionId = Type.String({ pattern: idPattern, description: 'as the opening answered it' })
const RequestId = Type.String({
  pattern: idPattern,
  description:
    `names the request: repeating it finds what became of it. Without a session at least ${limits.requestIdAloneMin} ` +
    'characters, which should be random: two callers with the same id are one caller',
})
const Token = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'fencing token: only grows' })
const Sequence = Type.Integer({
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'place in line: lower is earlier',
})
const TtlMs = Type.Integer({ minimum: limits.ttlMinMs, maximum: limits.ttlMaxMs })
const ValidForMs = count(
  'from the moment before this request was sent, by your own monotonic clock: so long it cannot have ended by itself',
)
const Mode = oneOf(['exclusive'])
const endings = ['released', 'expired', 'session_closed', 'unclaimed', 'unknown'] as const
const EndedBy = oneOf(endings)
const Label = Type.String({
  maxLength: limits.labelMax,
  pattern: '^\\P{Cs}*$',
  description: `shown to others; at most ${limits.labelMax} characters`,
})
const Metadata = Type.Unsafe<Readonly<Record<string, unknown>>>({
  type: 'object',
  additionalProperties: true,
  description: `shown to others; at most ${limits.metadataBytesMax} bytes as JSON text`,
})
const ShownMetadata = Type.Unsafe<Readonly<Record<string, unknown>> | null>({
  type: ['object', 'null'],
  additionalProperties: true,
})
const AppliedIndex = Type.Optional(count('with `consistency=stale`: how far this node had applied the log'))

const closed = { additionalProperties: false }

// ---- paths and queries

export const LockParams = Type.Object({ lock: LockName }, closed)
export const SessionParams = Type.Object({ session: SessionId }, closed)
export const RequestParams = Type.Object({ lock: LockName, requestId: RequestId }, closed)

const consistency = Type.Optional(
  oneOf(['linearizable', 'stale'], {
    default: 'linearizable',
    description: '`stale`: what this node has applied, without asking the others',
  }),
)
const page = {
  // Query parameters are texts: nothing is converted before it was matched.
  limit: Type.Optional(
    Type.String({
      pattern: '^(?:[1-9][0-9]{0,2}|1000)$',
      description: `1 to ${limits.pageMax}`,
      default: String(limits.pageDefault),
    }),
  ),
  cursor: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{1,1000}$', description: 'of the page before' })),
  consistency,
}

export const NoQuery = Type.Object({}, closed)
export const ReadQuery = Type.Object({ consistency }, closed)
export const SessionsQuery = Type.Object(page, closed)
export const LocksQuery = Type.Object(
  { prefix: Type.Optional(Type.String({ format: 'lock-name-prefix', description: 'of the names' })), ...page },
  closed,
)
export const RequestQuery = Type.Object({ session: Type.Optional(SessionId) }, closed)
export const RequestReadQuery = Type.Object({ session: Type.Optional(SessionId), consistency }, closed)

// ---- bodies

export const OpenSessionBody = Type.Object(
  {
    ttlMs: Type.Optional(Type.Integer({ ...TtlMs, default: limits.ttlDefaultMs })),
    name: Type.Optional(Label),
    metadata: Type.Optional(Metadata),
    requestId: Type.Optional(RequestId),
  },
  closed,
)
export const RenewSessionBody = Type.Object({ ttlMs: Type.Optional(TtlMs) }, closed)
export const RenewSessionsBody = Type.Object(
  { sessions: Type.Array(SessionId, { maxItems: limits.sessionsPerRenewalMax }) },
  closed,
)
export const AcquireBody = Type.Object(
  {
    session: Type.Optional(Type.String({ ...SessionId, description: 'what keeps the grant alive; without it: ttlMs' })),
    ttlMs: Type.Optional(
      Type.Integer({
        ...TtlMs,
        default: limits.ttlDefaultMs,
        description: 'only without session; starts at the grant',
      }),
    ),
    mode: Type.Optional(oneOf(['exclusive'], { default: 'exclusive' })),
    waitMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: limits.waitMaxMs,
        default: 0,
        description: `0: try. How long the request stays in the queue; without a session at most ${limits.callMaxMs}`,
      }),
    ),
    pollMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: limits.callMaxMs,
        default: limits.pollDefaultMs,
        description: 'only with session: how long this call may take; the place in the queue outlives it',
      }),
    ),
    requestId: Type.Optional(RequestId),
    owner: Type.Optional(Label),
    metadata: Type.Optional(Metadata),
  },
  closed,
)
export const RenewGrantBody = Type.Object({ token: Token, ttlMs: Type.Optional(TtlMs) }, closed)
export const ReleaseBody = Type.Object(
  {
    token: Token,
    session: Type.Optional(Type.String({ ...SessionId, description: 'when given, must be that of the grant' })),
  },
  closed,
)
export const CheckBody = Type.Object({ token: Token }, closed)
export const TransferBody = Type.Object(
  { to: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$', description: 'member id; absent: any' })) },
  closed,
)

// ---- answers

export const Nothing = Type.Null()

const Holder = Type.Object({
  session: orNull(SessionId),
  owner: orNull(Type.String()),
  mode: Mode,
  token: Token,
  sequence: Sequence,
  heldMs: count('since the grant'),
  expiresInMs: count('for people; up to a second too long'),
  metadata: ShownMetadata,
})
const Holders = Type.Array(Holder)
const QueueLength = count('how many wait')
const Position = Type.Integer({ minimum: 1, description: '1 is next' })
const Cursor = orNull(Type.String({ description: 'for the next page; null on the last' }))

export const SessionOpened = Type.Object({ session: SessionId, ttlMs: TtlMs, validForMs: ValidForMs })
export const SessionsRenewed = Type.Object({
  renewed: Type.Array(Type.Object({ session: SessionId, validForMs: ValidForMs })),
  gone: Type.Array(SessionId, { description: 'ended or unknown' }),
})
const sessionFacts = {
  session: SessionId,
  name: orNull(Type.String()),
  ttlMs: TtlMs,
  expiresInMs: count('for people; up to a second too long'),
  metadata: ShownMetadata,
}
export const SessionView = Type.Object({
  ...sessionFacts,
  holds: Type.Array(Type.Object({ lock: Type.String(), token: Token, mode: Mode })),
  waits: Type.Array(
    Type.Object({ lock: Type.String(), sequence: Sequence, position: Position, requestId: Type.String() }),
  ),
  appliedIndex: AppliedIndex,
})
export const SessionsView = Type.Object({
  sessions: Type.Array(Type.Object({ ...sessionFacts, requests: count('locks that it holds or awaits') })),
  cursor: Cursor,
  appliedIndex: AppliedIndex,
})

export const Granted = Type.Object({
  lock: Type.String(),
  token: Token,
  session: orNull(SessionId),
  requestId: Type.String(),
  mode: Mode,
  sequence: Sequence,
  ttlMs: TtlMs,
  validForMs: ValidForMs,
})
export const StillWaiting = Type.Object(
  {
    lock: Type.String(),
    session: SessionId,
    requestId: Type.String(),
    sequence: Sequence,
    position: Position,
    queueLength: QueueLength,
  },
  { description: 'the place stays: repeat the call within 30 s to go on' },
)
export const GrantRenewed = Type.Object({ lock: Type.String(), token: Token, ttlMs: TtlMs, validForMs: ValidForMs })
export const Released = Type.Object({
  lock: Type.String(),
  token: Token,
  released: Type.Unsafe<true>({ type: 'boolean', enum: [true] }),
})
export const Checked = Type.Object({ valid: Type.Boolean(), holders: Holders })
export const LockView = Type.Object({
  lock: Type.String(),
  holders: Holders,
  queueLength: QueueLength,
  queue: Type.Array(
    Type.Object({
      sequence: Sequence,
      position: Position,
      session: orNull(SessionId),
      requestId: Type.String(),
      owner: orNull(Type.String()),
      mode: Mode,
      waitedMs: count('in the queue'),
    }),
    { description: 'the first 100' },
  ),
  appliedIndex: AppliedIndex,
})
export const LocksView = Type.Object({
  locks: Type.Array(Type.Object({ lock: Type.String(), holders: Holders, queueLength: QueueLength })),
  cursor: Cursor,
  appliedIndex: AppliedIndex,
})
export const RequestView = Type.Object({
  state: oneOf(['waiting', 'granted', 'ended']),
  session: Type.Optional(orNull(SessionId)),
  sequence: Type.Optional(Sequence),
  position: Type.Optional(Position),
  queueLength: Type.Optional(QueueLength),
  token: Type.Optional(orNull(Token)),
  endedBy: Type.Optional(
    Type.Unsafe<Static<typeof EndedBy> | null>({ type: ['string', 'null'], enum: [...endings, null] }),
  ),
  appliedIndex: AppliedIndex,
})
export const RequestCancelled = Type.Object({
  state: oneOf(['withdrawn', 'released', 'none'], { description: 'in any case it holds and awaits nothing any more' }),
})

const MemberId = Type.String({ description: 'member id' })
export const ClusterView = Type.Object({
  clusterId: orNull(Type.String({ description: 'null until the cluster is founded' })),
  self: MemberId,
  leader: orNull(MemberId),
  term: count('of the node asked'),
  members: Type.Array(
    Type.Object({
      id: MemberId,
      httpUrl: orNull(Type.String({ description: 'null until it was met' })),
      peerUrl: Type.String(),
      role: oneOf(['leader', 'follower', 'candidate', 'unknown'], { description: 'as far as the node asked knows' }),
      incarnation: orNull(Type.String({ description: 'of the disk that counts; null until the cluster is founded' })),
      reachable: Type.Boolean({ description: 'from the node asked' }),
      matchIndex: orNull(
        Type.Integer({ minimum: 0, description: 'what its disk has of the log; only the leader knows' }),
      ),
    }),
  ),
  commitIndex: count('of the node asked'),
  appliedIndex: count('of the node asked'),
  clusterTimeMs: count('cluster time applied by the node asked'),
  log: Type.Object({
    firstIndex: count('the oldest entry that the node asked still has'),
    lastIndex: count('of the node asked'),
    bytes: count('of its entries, about'),
  }),
  digest: orNull(
    Type.Object(
      {
        index: count('of the last checkpoint of the node asked'),
        value: Type.String({ description: '12 hexadecimal digits, equal on all members at the same index' }),
        agreeing: Type.Array(MemberId, { description: 'members known to have the same at that index' }),
        differences: count('checkpoints at which members were seen to differ; such nodes stop'),
      },
      { description: 'null until the node asked has made a checkpoint' },
    ),
  ),
})
export const ReplaceParams = Type.Object({ id: MemberId })
export const ReplaceBody = Type.Object(
  {
    incarnation: Type.String({ pattern: '^[0-9a-f]{32}$', description: 'of the new disk: the refused node prints it' }),
  },
  { additionalProperties: false },
)
export const Replaced = Type.Object({ member: MemberId, incarnation: Type.String() })
export const Transferred = Type.Object({ leader: MemberId })
export const Healthy = Type.Object({ status: oneOf(['ok']) })
export const MetricsText = Type.String()
export const BackupFile = Type.Unsafe<Uint8Array>({ type: 'string', format: 'binary' })
export const Ready = Type.Object({ ready: Type.Unsafe<true>({ type: 'boolean', enum: [true] }) })

// ---- errors

/** Under which name the schema of problems is shared. */
export const problemId = 'Problem'

export const Problem = Type.Object(
  {
    type: Type.String({ description: '`urn:holdfast:error:<code>`' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.Unsafe<ErrorCode>({ type: 'string', enum: errorCodes, description: 'what programs switch on' }),
    detail: Type.String({ description: 'for people' }),
    instance: Type.Optional(Type.String({ description: 'names this one occurrence; the log has it, too' })),
    field: Type.Optional(Type.String({ description: 'of the body, path, query or head' })),
    requestId: Type.Optional(Type.String()),
    session: Type.Optional(orNull(SessionId)),
    token: Type.Optional(Token),
    endedBy: Type.Optional(EndedBy),
    holders: Type.Optional(Holders),
    queueLength: Type.Optional(QueueLength),
    limit: Type.Optional(Type.String({ description: 'which limit is reached' })),
    max: Type.Optional(Type.Integer({ description: 'its value' })),
    allow: Type.Optional(Type.Array(Type.String(), { description: 'methods of this path' })),
  },
  { $id: problemId, description: 'RFC 9457' },
)
