//! What this firmware records, by name: the strings leave it once, the spans refer to them by number.

clewline_core::string_table! {
    /// Span names, event names, keys and values.
    pub(crate) struct Names {
        SENSOR_ID = "sensor.id",
        RAW = "sensor.raw",
        READING = "sensor.reading.milli",
        UNIT = "sensor.unit",
        CELSIUS = "°C",
        COUNT = "timer.count",
        READ_SENSOR = "read sensor",
        SAMPLE = "sample",
        CONVERT = "convert",
        TIMER = "timer",
        OUT_OF_RANGE = "reading out of range",
    }
}
