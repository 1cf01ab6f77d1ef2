/**
 * What the SDK counts, as Effect metrics: any exporter that reads Effect's metrics shows them.
 */
import * as Metric from "effect/Metric"

/** Decisions that became records and were taken in. */
export const accepted = Metric.counter("xase_records_accepted_total", {
  description: "Decisions taken in",
  incremental: true
})

const settled = Metric.counter("xase_records_settled_total", {
  description: "Records that settled, by outcome and, for dropped ones, reason",
  incremental: true
})

/** Records that the ledger has. */
export const delivered = Metric.withAttributes(settled, { outcome: "delivered" })

/** Records that were given up with an error. */
export const failed = Metric.withAttributes(settled, { outcome: "failed" })

/** Records that were given up without an answer, by reason. */
export const dropped = {
  QueueFull: Metric.withAttributes(settled, { outcome: "dropped", reason: "QueueFull" }),
  Shutdown: Metric.withAttributes(settled, { outcome: "dropped", reason: "Shutdown" }),
  Interrupted: Metric.withAttributes(settled, { outcome: "dropped", reason: "Interrupted" })
}

/** Attempts after the first one of a record. */
export const retries = Metric.counter("xase_delivery_retries_total", {
  description: "Attempts after the first one of a record",
  incremental: true
})

/** Records that wait in the outbox. */
export const queueDepth = Metric.gauge("xase_outbox_records", { description: "Records that wait in the outbox" })

/** From the start of a record's first attempt to its receipt. */
export const deliveryTime = Metric.timer("xase_delivery_time", {
  description: "From the first attempt of a record to its receipt"
})
