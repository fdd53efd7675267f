"""Checks records, a line each, against docs/record.schema.json.

Usage: check_schema.py SCHEMA FILE. Prints each line that does not fit, with the reason, and at the end the keys that
were seen, sorted, on a line that begins with "keys:". A key that the schema does not know is a line that does not fit:
readers ignore such keys, but the schema is to name all that the plugin writes.
"""
import json
import sys

import jsonschema


def main(schema_file, records_file):
    with open(schema_file, encoding="utf-8") as handle:
        schema = json.load(handle)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    seen = set()
    with open(records_file, encoding="utf-8", newline="\n") as handle:
        for number, line in enumerate(handle, 1):
            record = json.loads(line)
            seen.update(record)
            faults = [error.message for error in validator.iter_errors(record)]
            faults += [f"unknown key {key}" for key in record if key not in schema["properties"]]
            for fault in faults:
                print(f"{number}: {fault[:300]}: {line[:300].rstrip()}")
    print("keys:", *sorted(seen))


main(*sys.argv[1:])
