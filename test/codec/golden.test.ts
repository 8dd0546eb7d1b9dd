// The bytes of a cluster that has been running for years: they never change. Commands lie in the logs of every member, so a
// new layout gets a new tag; frames may change with the protocol version only.
import t from 'tap'
import { decodeCommand, encodeCommand } from '../../src/codec/command.ts'
import { decodeFrame, encodeFrame } from '../../src/codec/frame.ts'
import { protocolVersion } from '../../src/codec/introduction.ts'
import { frames, numberedCommands } from './samples.ts'

const commandBytes: Readonly<Record<string, string>> = {
  nodeStarted: '94a26e31020101',
  nodeLost: '97a26e3102020ba26e3204cd012c',
  openSession: '99a26e31020303b2722d31323334353637383930616263646566cd7530a8776f726b65722037a77b2261223a317dce00011170',
  renewSessions: '95a26e310204049292a4732d3137c092a4732d3138cd1388',
  closeSession: '95a26e31020505a4732d3137',
  acquire:
    '9ea26e31020606ac6a6f62732f6e696768746c79c0b2722d31323334353637383930616263646566a96578636c7573697665cd2710cd07d000a9776f726b657220c3b6c0ce00011170',
  release: '97a26e31020707ac6a6f62732f6e696768746c7963a4732d3137',
  renewGrant: '97a26e31020808ac6a6f62732f6e696768746c7963c0',
  cancelRequest: '97a26e31020909ac6a6f62732f6e696768746c79a4732d3137b2722d31323334353637383930616263646566',
  withdraw:
    '95a26e31020a0a9294c2a4732d3137b2722d313233343536373839306162636465660594c3c0b2722d3132333435363738393061626364656606',
}

const frameBytes: Readonly<Record<string, string>> = {
  hello:
    '9301a26e329802a26e31d920303132333435363738396162636465663031323334353637383961626364656602b5687474703a2f2f3132372e302e302e313a3731303103cd03e896a86e312c6e322c6e339192ab73657373696f6e734d6178ce000f4240a461356135c3a866656463626139389194a866656463626139389292a26e31a8303132333435363792a26e32a837363534333231309192ab73657373696f6e734d6178ce0007a1209194a83066656463626139a461356135cb4200000000000000cb4210000000000000',
  welcome:
    '92029802a26e33a8383961626364656601b5687474703a2f2f3132372e302e302e313a37313033000096a86e312c6e322c6e3390c0c2c090',
  rejected: '9303a8737472616e676572ab77686f2061726520796f75',
  foundingNews: '9304c0c2',
  preVote: '9305a8666564636261393895010304cd03e802',
  preVoteResponse: '9305a8666564636261393894020304c3',
  requestVote: '9305a86665646362613938950303cd03e802c2',
  requestVoteResponse: '9305a86665646362613938930403c2',
  appendEntries:
    '9305a86665646362613938970503cd03e802cd03e6ce00011170939303ce0001e240c4030102039403ce0001e241c40091019403ce0001e241c4009302a26e32a86665646362613938',
  appendAccepted: '9305a86665646362613938940603ce00011170cd03e8',
  appendRejected: '9305a86665646362613938960703ce00011170cd03e8cd038401',
  timeoutNow: '9305a86665646362613938930803cd03e8',
  readIndex: '9305c0930903cb4270000000000000',
  readIndexResponse: '9305a86665646362613938940a03cb4270000000000000c0',
  forward: '93060891c403090807',
  forwardRefused: '940708019201cd012c',
  transferRequest: '9208c0',
  keepalive: '9109',
  replaceRequest: '930aa26e32a86665646362613938',
  replaceRefused: '940ba26e32a8666564636261393804',
  digest: '930ccd03e8cb42efffffffffffe0',
  snapshotOffer:
    '950dcb4270000000000000a866656463626139380398cd03e802ce0001e240d9203030313132323333343435353636373738383939616162626363646465656666cb42e0000000000000ce000111700c9292a26e31a8303132333435363792a26e32a86665646362613938',
  snapshotChunk: '940ecb4270000000000000cd012c94c40101c403920102c403030009c400',
  snapshotEnd: '930fcb4270000000000000cd012c',
  snapshotReply: '9410cb4270000000000000cd012b00',
  snapshotWanted: '9111',
}

t.test('commands have the bytes that lie on disks', async (t) => {
  for (const sample of numberedCommands) {
    const { kind } = sample.command
    t.equal(Buffer.from(encodeCommand(sample)).toString('hex'), commandBytes[kind], kind)
    t.same(decodeCommand(Buffer.from(commandBytes[kind] ?? '', 'hex')), sample, kind)
  }
  t.same(numberedCommands.map(({ command }) => command.kind).sort(), Object.keys(commandBytes).sort())
})

t.test('frames have the bytes of protocol version 2', async (t) => {
  t.equal(protocolVersion, 2)
  const kinds: string[] = []
  for (const sample of frames) {
    const kind = sample.kind === 'raft' ? sample.message.kind : sample.kind
    kinds.push(kind)
    t.equal(Buffer.from(encodeFrame(sample)).toString('hex'), frameBytes[kind], kind)
    t.equal(
      Buffer.from(encodeFrame(decodeFrame(Buffer.from(frameBytes[kind] ?? '', 'hex')))).toString('hex'),
      frameBytes[kind],
      kind,
    )
  }
  t.same(kinds.sort(), Object.keys(frameBytes).sort())
})
