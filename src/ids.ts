// Names and numbers that must not be mixed up. A brand exists only at compile time; the functions below are the
// only casts of the house, to be called where foreign values have been validated (codec, HTTP schema, storage load)
// or where arithmetic on a branded number gives a number of the same kind.

declare const brand: unique symbol
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** A member of the cluster, `n1`, `n2`, ...: 1-32 characters of `[A-Za-z0-9._-]`. */
export type NodeId = Brand<string, 'NodeId'>
/** The cluster as founded: 32 hexadecimal digits. */
export type ClusterId = Brand<string, 'ClusterId'>
/** One life of a node's disk: 32 hexadecimal digits, drawn when its folder was empty. */
export type Incarnation = Brand<string, 'Incarnation'>
/** One life of a node's process. Later runs of a node are greater, those of a replaced incarnation are all smaller. */
export type Run = Brand<number, 'Run'>

/** Raft's term; 0 before the first election. */
export type Term = Brand<number, 'Term'>
/** Position in the log, from 1; 0 is the place before the first entry. */
export type Index = Brand<number, 'Index'>
/** Number of a disk write requested by the core; they only grow within a run. */
export type Io = Brand<number, 'Io'>
/** Sum of the hashes of all records of a state, modulo 2^48: equal states have equal ones. */
export type Digest = Brand<number, 'Digest'>
/** Whole milliseconds of replicated time, 0 at the founding of the cluster. */
export type ClusterTime = Brand<number, 'ClusterTime'>

/** Fencing token: one store-wide counter from 1, never given twice. */
export type Token = Brand<number, 'Token'>
/** Place in line: one store-wide counter from 1. */
export type Sequence = Brand<number, 'Sequence'>
/** 1-512 bytes of UTF-8 without control characters; compared byte by byte. */
export type LockName = Brand<string, 'LockName'>
/** `s-` and the decimal sequence at which the session was opened. */
export type SessionId = Brand<string, 'SessionId'>
/** 1-128 characters of `[A-Za-z0-9._:-]`, chosen by the client. */
export type RequestId = Brand<string, 'RequestId'>

export const asNodeId = (value: string): NodeId => value as NodeId
export const asClusterId = (value: string): ClusterId => value as ClusterId
export const asIncarnation = (value: string): Incarnation => value as Incarnation
export const asRun = (value: number): Run => value as Run
export const asTerm = (value: number): Term => value as Term
export const asIndex = (value: number): Index => value as Index
export const asIo = (value: number): Io => value as Io
export const asDigest = (value: number): Digest => value as Digest
export const asClusterTime = (value: number): ClusterTime => value as ClusterTime
export const asToken = (value: number): Token => value as Token
export const asSequence = (value: number): Sequence => value as Sequence
export const asLockName = (value: string): LockName => value as LockName
export const asSessionId = (value: string): SessionId => value as SessionId
export const asRequestId = (value: string): RequestId => value as RequestId
