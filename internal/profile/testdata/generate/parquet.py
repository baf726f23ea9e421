"""The same table in every codec and encoding that pyarrow writes, as CSV and as JSON lines.

    python parquet.py DIRECTORY

testdata/parquet holds what pyarrow 26.0.1 wrote, so that the tests need no Python.
"""
import csv
import datetime
import decimal
import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

out=sys.argv[1]
rng=np.random.default_rng(7)
n=300
x=rng.normal(size=n); x[::50]=np.nan
def nul(a,t): return pa.array([None if i%7==0 else v for i,v in enumerate(a)],type=t)
D=decimal.Decimal
ints=[int(v) for v in rng.integers(-1000,1000,n)]
cols={
 "double":pa.array(x), "double_nulls":nul([float(v) for v in x],pa.float64()),
 "float":pa.array(x.astype("f4")), "half":pa.array(x.astype("f2")),
 "int8":pa.array([v%127 for v in ints],pa.int8()),"uint8":pa.array([v%255 for v in ints],pa.uint8()),
 "int32":pa.array(ints,pa.int32()),"uint32":pa.array([v+2**31 for v in ints],pa.uint32()),
 "int64":nul([v*10**15 for v in ints],pa.int64()),"uint64":pa.array([v+2**63 for v in ints],pa.uint64()),
 "dec9":pa.array([D(v).scaleb(-2) for v in ints],pa.decimal128(9,2)),
 "dec30":nul([D(v*10**20+1).scaleb(-5) for v in ints],pa.decimal128(30,5)),
 "dec60":pa.array([D(v*10**40+7).scaleb(-30) for v in ints],pa.decimal256(60,30)),
 "few":pa.array([float(v%5) for v in ints]),
 "text":nul(["g%d"%(v%4) for v in ints],pa.string()),
 "numbers_as_text":pa.array([str(v) for v in ints]),
 "bool":nul([v%3==0 for v in ints],pa.bool_()),
 "when":pa.array([datetime.date(2020,1,1)]*n),
 "stamp":pa.array([datetime.datetime(2020,1,1)]*n),
 "list":pa.array([[1.0]]*n),"struct":pa.array([{"a":1}]*n),
 "last":pa.array(ints,pa.int16()),
}
t=pa.table(cols)
kinds={
 "snappy":dict(compression="snappy"),
 "none_v2":dict(compression="none",data_page_version="2.0",use_dictionary=False),
 "zstd_v2":dict(compression="zstd",data_page_version="2.0",data_page_size=100),
 "gzip":dict(compression="gzip",row_group_size=70),
 "brotli":dict(compression="brotli",use_dictionary=False,row_group_size=123),
 "lz4":dict(compression="lz4"),
 "delta":dict(use_dictionary=False,column_encoding={"int32":"DELTA_BINARY_PACKED","int64":"DELTA_BINARY_PACKED","last":"DELTA_BINARY_PACKED","text":"DELTA_LENGTH_BYTE_ARRAY","numbers_as_text":"DELTA_BYTE_ARRAY","double":"BYTE_STREAM_SPLIT","float":"BYTE_STREAM_SPLIT","half":"BYTE_STREAM_SPLIT","int8":"BYTE_STREAM_SPLIT"}),
}
for k,o in kinds.items(): pq.write_table(t,f"{out}/{k}.parquet",**o)
# the same as CSV, for comparison: exact text of each value
names=[c for c in cols if c not in("list","struct","when","stamp")]
with open(f"{out}/all.csv","w",newline="") as f:
    w=csv.writer(f); w.writerow(names)
    lists=[cols[c].to_pylist() for c in names]
    def s(v):
        if v is None: return ""
        if isinstance(v,bool): return "true" if v else "false"
        if isinstance(v,(float,np.floating)): return repr(float(v))
        if isinstance(v,D): return format(v,"f")
        return str(v)
    for row in zip(*lists): w.writerow([s(v) for v in row])
with open(f"{out}/all.jsonl","w") as f:
    for row in zip(*lists):
        f.write(json.dumps({c:(None if v is None or (isinstance(v,float) and v!=v) else float(v) if isinstance(v,np.floating) else v if not isinstance(v,D) else None) for c,v in zip(names,row)})+"\n")
# Small ones, for the fuzzer to begin with.
small = pa.table({"a": pa.array([1.5, None, 2.5, 1.5]), "b": pa.array(["x", "y", None, "x"]), "c": pa.array([1, 2, 3, 4]), "d": pa.array([D("1.5"), D("2.5"), None, D("0.1")], pa.decimal128(30, 2))})
for name, options in {
    "v1": dict(compression="snappy"),
    "v2": dict(compression="zstd", data_page_version="2.0", use_dictionary=False, column_encoding={"c": "DELTA_BINARY_PACKED", "b": "DELTA_BYTE_ARRAY", "a": "BYTE_STREAM_SPLIT"}),
}.items():
    pq.write_table(small, f"{out}/small/{name}.parquet", write_statistics=False, store_schema=False, **options)
