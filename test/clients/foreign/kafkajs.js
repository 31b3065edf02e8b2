// A member of a consumer group made with KafkaJS. It tells events as package event
// describes them, commits after each batch, and leaves on SIGTERM.
//
//   NODE_PATH=DIR/node_modules node member.js ADDRESS TOPIC PARTITIONS GROUP
'use strict'
const { Kafka, logLevel } = require('kafkajs')

const [address, topic, partitions, groupId] = process.argv.slice(2)
const kafka = new Kafka({ brokers: [address], clientId: 'kafkajs', logLevel: logLevel.INFO, logCreator: () => e => console.error(JSON.stringify(e)) })
const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 1000, rebalanceTimeout: 15000, maxWaitTimeInMs: 200 })

const tell = e => process.stdout.write(JSON.stringify({ at: Date.now() * 1e6, ...e }) + '\n')
let held = []

function released(event) {
  if (held.length) tell({ event, partitions: held })
  held = []
}

consumer.on(consumer.events.GROUP_JOIN, e => {
  held = e.payload.memberAssignment[topic] || []
  tell({ event: 'assigned', partitions: held })
})
consumer.on(consumer.events.REBALANCING, () => released('revoked'))
consumer.on(consumer.events.CRASH, e => {
  released('lost')
  tell({ event: e.payload.restart ? 'note' : 'fault', text: 'crash: ' + e.payload.error.message })
})

async function eachBatch({ batch, resolveOffset, heartbeat }) {
  const partition = batch.partition
  const offsets = batch.messages.map(m => Number(m.offset))
  const first = offsets[0]
  const last = offsets[offsets.length - 1]
  batch.messages.forEach((m, i) => {
    const want = String(offsets[i] * Number(partitions) + partition)
    if (m.value.toString() !== want || offsets[i] !== first + i) {
      tell({ event: 'fault', text: `partition ${partition} has ${m.value} at offset ${m.offset}, want ${want} after ${first + i - 1}` })
    }
  })
  tell({ event: 'records', partition, first, last })
  resolveOffset(String(last))
  await heartbeat()
  await consumer.commitOffsets([{ topic, partition, offset: String(last + 1) }])
  tell({ event: 'committed', partition, offset: last + 1 })
}

async function main() {
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({ autoCommit: false, partitionsConsumedConcurrently: 1, eachBatch })
}

process.once('SIGTERM', async () => {
  await consumer.disconnect()
  released('revoked')
  process.exit(0)
})
main().catch(e => {
  tell({ event: 'fault', text: e.message })
  process.exit(1)
})
