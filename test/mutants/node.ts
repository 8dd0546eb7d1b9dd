// Mistakes in the shell: what is sent again, what is concluded, who is answered what, who may take part.
import type { Mutant } from './mutant.ts'

export const nodeMutants: readonly Mutant[] = [
  {
    name: 'a cluster is founded by a majority',
    breaks: 'H27',
    edits: [
      {
        file: 'src/node/founding.ts',
        find: 'others.every((member) => this.#heard.has(member))',
        put: 'others.filter((member) => this.#heard.has(member)).length * 2 >= others.length',
      },
      {
        file: 'src/node/founding.ts',
        find: 'stored.every(Boolean)',
        put: 'stored.filter(Boolean).length * 2 >= stored.length',
      },
    ],
    tests: ['node/founding', 'sim/histories/founding'],
  },
  {
    name: 'commands are sent again only to another leader',
    breaks: 'H20',
    edits: [
      {
        file: 'src/node/replica.ts',
        find: 'if (peer === this.#leader)\n            this.#routeChanged();',
        put: '',
      },
    ],
    tests: ['sim/histories/sending', 'sim/histories/requests'],
  },
  {
    name: 'one refusal speaks for all sendings of a command',
    breaks: 'H18',
    edits: [
      {
        file: 'src/node/own-commands.ts',
        find: '!command.sendings.delete(sending))',
        put: '!command.sendings.has(sending) || command.sendings.clear())',
      },
    ],
  },
  {
    name: 'renewals are appended before commands with lower numbers',
    breaks: 'H21',
    edits: [
      {
        file: 'src/node/intake.ts',
        find: 'this.#waiting.push({ node,',
        put: "this.#waiting[command.kind === 'renewSessions' ? 'unshift' : 'push']({ node,",
      },
    ],
  },
  {
    name: 'what an installed snapshot jumped over counts as passed over',
    breaks: 'H19',
    edits: [
      {
        file: 'src/node/own-commands.ts',
        find: "command.submission.learn({ kind: 'jumpedOver' });",
        put: "command.submission.learn({ kind: 'notDone', reason: 'passedOver' });",
      },
    ],
  },
  {
    name: '202 is said by a timer of the node',
    breaks: 'H13, H17',
    edits: [
      {
        file: 'src/node/calls.ts',
        find: 'return this.#learnQueued(call);',
        put: 'call.queuedAt = fate.index;\n                return this.#learnQueued(call);',
      },
      {
        file: 'src/node/calls.ts',
        find: 'const unknownAt = call.since + call.request.waitMs + unknownAfterMs;',
        put: `const unknownAt = call.since + call.request.waitMs + unknownAfterMs;
            const { command, waitMs } = call.request;
            if (call.phase === 'queued' && now >= call.since + waitMs) {
                const { lock, session, requestId } = command;
                const place = { sequence: 1, position: 1, queueLength: 1 };
                call.told = true;
                this.#settle(call, { kind: 'outcome', index: call.queuedAt, result: { kind: 'stillWaiting', lock, session, requestId, ...place } });
                continue;
            }
            if (call.phase === 'queued' && call.lookAt < call.since + waitMs) {
                this.#deadlines.add(call, (call.lookAt = call.since + waitMs));
                continue;
            }`,
      },
      {
        file: 'src/node/calls.ts',
        find: 'if (isKept)\n                this.#withdraw(call);',
        put: 'if (isKept && call.told !== true)\n                this.#withdraw(call);',
      },
    ],
    tests: ['node/calls', 'sim/histories/requests'],
  },
  {
    name: 'an attempt is withdrawn only when its client hangs up',
    breaks: 'H13',
    edits: [
      {
        file: 'src/node/calls.ts',
        find: "this.#settle(call, answer);\n        if (phase === 'queued')",
        put: "this.#settle(call, answer);\n        call.told = answer !== null;\n        if (phase === 'queued' && answer === null)",
      },
      {
        file: 'src/node/calls.ts',
        find: 'if (isKept)\n                this.#withdraw(call);',
        put: 'if (isKept && call.told !== true)\n                this.#withdraw(call);',
      },
    ],
    tests: ['node/calls', 'sim/histories/requests'],
  },
  {
    name: 'an answer that could not be begun is taken for given',
    breaks: 'H14',
    edits: [{ file: 'src/node/calls.ts', find: 'if (!begun && isKept)', put: 'if (false)' }],
  },
  {
    name: 'a withdrawal that was passed over is not made again',
    breaks: 'H13',
    edits: [{ file: 'src/node/withdrawals.ts', find: "else if (fate.kind !== 'queued')", put: 'else if (false)' }],
  },
  {
    name: 'a node out of reach keeps its attempts',
    breaks: 'H12',
    edits: [{ file: 'src/node/leading.ts', find: 'const nodeLostMs = 10_000;', put: 'const nodeLostMs = Infinity;' }],
  },
  {
    name: 'who leads no more still says which nodes are lost',
    breaks: 'B104',
    edits: [
      {
        file: 'src/node/leading.ts',
        find: 'for (const [node, announcement] of this.#lost)\n            this.#takeBack(node, announcement);',
        put: '',
      },
    ],
  },
  {
    name: 'a node that is not ready stamps acquires with the time that it has',
    breaks: 'H15',
    edits: [
      {
        file: 'src/node/own-commands.ts',
        find: 'if (!ready && bringsWork(command.submission.command))',
        put: 'if (false)',
      },
    ],
  },
  {
    name: 'a read is answered one entry too early',
    breaks: 'S6',
    edits: [
      {
        file: 'src/node/read-rounds.ts',
        find: '(this.#known[0]?.index ?? Infinity) <= appliedIndex',
        put: '(this.#known[0]?.index ?? Infinity) <= appliedIndex + 1',
      },
    ],
  },
  {
    name: 'a write is reported when it begins',
    breaks: 'S3, C11',
    edits: [
      {
        file: 'src/node/disk-writer.ts',
        find: `this.#write({ hardState, truncateFrom, entries, trimTo, installed: null }, () => {
            if (lastIo !== null)
                this.#events.durable(lastIo);
        });`,
        put: `if (lastIo !== null) this.#events.durable(lastIo);
        this.#write({ hardState, truncateFrom, entries, trimTo, installed: null }, () => {});`,
      },
    ],
  },
  {
    name: 'a checkpoint is written before the log that it is of',
    breaks: 'H30',
    edits: [
      {
        file: 'src/node/checkpoints.ts',
        find: 'if (this.#parts.durableIndex() < making.at.index)\n            return;',
        put: '',
      },
    ],
    tests: ['node/checkpoints', 'sim/histories/damaged-disks'],
  },
  {
    name: 'a disk that lost its tail is not found out',
    breaks: 'S3, H28',
    edits: [
      {
        file: 'src/node/witnesses.ts',
        find: "disk.term === known.ackTerm && disk.lastIndex < known.ackIndex ? 'lost_data' : null",
        put: 'null',
      },
    ],
    faults: 'disk',
  },
  {
    name: 'a disk that truncated rightly is taken for one that lost entries',
    breaks: 'H31',
    edits: [{ file: 'src/node/witnesses.ts', find: 'disk.term === known.ackTerm && ', put: '' }],
  },
  {
    name: 'whoever closes a link is taken for dead',
    breaks: 'H34',
    edits: [
      {
        file: 'src/node/peers.ts',
        find: "if (closed.why === 'refused')",
        put: 'if (true)',
      },
    ],
    tests: ['node/peers', 'sim/histories/links', 'sim/histories/elections'],
  },
  {
    name: 'the log goes while a transfer reads it',
    breaks: 'H36',
    edits: [{ file: 'src/node/keeping.ts', find: 'held.length === 0 ? null : asLeast(held)', put: 'null' }],
    tests: ['sim/histories/snapshots'],
    faults: 'disk',
  },
  {
    name: 'a restored cluster counts on where the backup stopped',
    breaks: 'S2',
    edits: [
      {
        file: 'src/node/restore.ts',
        find: 'export const restoreJump = 10 ** 12;',
        put: 'export const restoreJump = 0;',
      },
    ],
    tests: ['node/backup'],
    unseen: 'it restores no backups',
  },
  {
    name: 'a restored cluster counts from 1 after its first restart',
    breaks: 'S2',
    edits: [
      { file: 'src/node/node.ts', find: 'createState(limits, firstCounters(record))', put: 'createState(limits)' },
    ],
    tests: ['node/backup'],
    unseen: 'it restores no backups',
  },
  {
    name: 'members whose states differ go on',
    breaks: 'S7, B130',
    edits: [{ file: 'src/node/digests.ts', find: "return value === own ? null : 'differs';", put: 'return null;' }],
    unseen: 'states do not differ there',
  },
  {
    name: 'a frame with a wrong checksum is read',
    breaks: 'B126',
    edits: [{ file: 'src/node/frame.ts', find: 'if (crc32(frame) !== crc)', put: 'if (false)' }],
    unseen: 'its links carry whole frames',
  },
  {
    name: 'the run is told before it is stored',
    breaks: 'H24, old_run',
    edits: [
      {
        file: 'src/node/node.ts',
        find: 'this.#disk.store({ meta: this.#meta }, () => {\n            const meet',
        put: 'this.#disk.store({ meta: this.#meta }, () => {});\n        (() => {\n            const meet',
      },
      {
        file: 'src/node/node.ts',
        find: 'else\n                meet();\n        });',
        put: 'else\n                meet();\n        })();',
      },
    ],
    tests: ['node/starting', 'node/founding'],
  },
  {
    name: 'no leader is said to a call whose command has left',
    breaks: 'S4',
    edits: [
      {
        file: 'src/node/calls.ts',
        find: "if (neverLeft)\n                this.#settle(call, { kind: 'noLeader' });",
        put: "if (neverLeft || call.phase === 'open')\n                this.#settle(call, { kind: 'noLeader' });",
      },
    ],
  },
  {
    name: 'new commands are sent before all that must go again',
    breaks: 'H20',
    edits: [
      {
        file: 'src/node/own-commands.ts',
        find: 'while (this.#position < this.#sent.length && this.#bytesOnRoute < windowBytes) {',
        put: `const again = this.#position;
        this.#putUnsent(ready, sending);
        this.#position = again;
        while (this.#position < this.#sent.length && this.#bytesOnRoute < windowBytes) {`,
      },
    ],
  },
  {
    name: 'frames of a link that was replaced are read',
    breaks: 'DESIGN 6, B71',
    edits: [
      {
        file: 'src/node/peers.ts',
        find: 'if (this.#stopped || (from !== null && from.accepted !== link))',
        put: 'if (this.#stopped)',
      },
    ],
  },
  {
    name: 'a read joins the round that is under way',
    breaks: 'S6, B67',
    edits: [
      {
        file: 'src/node/read-rounds.ts',
        find: 'this.#gathered.add(waiting);',
        put: '(this.#round?.reads ?? this.#gathered).add(waiting);',
      },
    ],
  },
  {
    name: 'a loaded state is not compared with its digest',
    breaks: 'B117, S7',
    edits: [
      {
        file: 'src/node/loading-state.ts',
        find: 'if (digest !== checkpoint.digest)',
        put: 'if (false)',
      },
    ],
    unseen: 'its records are damaged by their checksums only',
  },
  {
    name: 'a silent link is never given up',
    breaks: 'L3',
    edits: [
      {
        file: 'src/node/link-watch.ts',
        find: 'const silentTicksMax = 5;',
        put: 'const silentTicksMax = Infinity;',
      },
    ],
  },
  {
    name: 'a run goes on when the disk was replaced and named again',
    breaks: 'H24, S4',
    edits: [
      {
        file: 'src/node/applying.ts',
        find: 'return this.#run !== null && runOf(lock, self, run) !== this.#run;',
        put: 'return false;',
      },
    ],
    tests: ['sim/histories/replaced-disks'],
    faults: 'disk',
  },
]
