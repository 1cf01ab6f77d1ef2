import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http"
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs"
import { type Open, repeatCall } from "./Subject.ts"
import { roomy } from "./settings.ts"

export const open: Open = ({ url }) => {
  const exporter = new OTLPLogExporter({ url: `${url}/v1/logs` })
  const provider = new LoggerProvider({ processors: [new BatchLogRecordProcessor({ exporter, maxQueueSize: roomy })] })
  const logger = provider.getLogger("bench")
  return {
    repeat: repeatCall((decision) => logger.emit({ eventName: "decision", body: decision })),
    flush: () => provider.forceFlush()
  }
}
