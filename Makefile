# The front door. Each target sets up what it needs, once, and says what it is doing.

.DEFAULT_GOAL := help
.PHONY: help list verilog test test-all synth mutate demo accuracy bench docs clean
.SILENT:

PYTHON_BIN := .venv/bin/python
SPECS := pyproject.toml constraints.txt setup/python.sh
STUDIES := ristretto dpred tiles dlac dlac_storage arrays datapaths compression mnist methods schemes tricks pruning

help:
	echo "make list                              the targets, one line each"
	echo "make verilog TARGET=ternary_gemm       its Verilog and JSON in build/verilog; PARAMS=\"rows=16 cols=16\" changes parameters"
	echo "make demo                              train, quantise, golden, Verilog, area on real digits: a table and a picture"
	echo "make test                              every test but the long ones; make test-all runs those too"
	echo "make synth [TARGET=ternary_gemm]       area, clock and power in build/synth/report.md; LIBERTY=path for another library"
	echo "make mutate TARGET=ternary_gemm        how many faults put into the Verilog the benches find"
	echo "make accuracy                          accuracy of both LeNets, three seeds each, in build/quant"
	echo "make ristretto                         the tables and figures of Ristretto for LeNet, in build/ristretto"
	echo "make dpred                             traffic and speed-up of DPRed and bit-serial tiles on real networks, in build/dpred"
	echo "make tiles                             LeNet through the Verilog of the bit-serial tiles, and what these cost, in build/tiles"
	echo "make dlac                              the figures of DLAC, the zero-skipping grid: zeros, speed, area, training, in build/dlac"
	echo "make dlac_storage                      storage, speed and area of the zero-skipping grid, in build/dlac_storage"
	echo "make arrays                            area and power of arrays of integers and of floating point, in build/arrays"
	echo "make datapaths                         arrays of signs, two scales, powers of two and codebooks: area, clock, in build/datapaths"
	echo "make compression                       LeNet by Deep Compression: pruned, shared, Huffman-coded, in build/compression"
	echo "make mnist                             what narrow networks reach on MNIST, in build/mnist"
	echo "make methods                           every method of narrow weights from one float network, in build/methods"
	echo "make schemes                           WRPN and Apprentice on a small ResNet, in build/schemes"
	echo "make tricks                            tricks that train ternary networks, depth against precision, in build/tricks"
	echo "make pruning                           pruning by magnitude and by energy, in build/pruning"
	echo "make bench                             speed of golden, of simulation and of a schedule, against stated references"
	echo "make tools                             all that these need, installed once; each does this by itself"
	echo "make docs                              the table of targets in README.md, from the registry"
	echo "make clean                             remove build; .venv stays"

.venv/.base: $(SPECS)
	sh setup/python.sh base

.venv/.full: .venv/.base $(SPECS)
	sh setup/python.sh full

.PHONY: tools
tools: .venv/.full
	sh setup/system.sh tools

list: .venv/.base
	$(PYTHON_BIN) -m rtl list

verilog: .venv/.base
	$(PYTHON_BIN) -m rtl verilog $(or $(TARGET),none) $(PARAMS)

test: tools
	$(PYTHON_BIN) -m pytest -q -n 2 -m "not long"

test-all: tools
	$(PYTHON_BIN) -m pytest -q -n 2

synth: tools
	$(PYTHON_BIN) -m synth $(TARGET) $(PARAMS)

mutate: tools
	$(PYTHON_BIN) -m tb mutate $(TARGET) $(PARAMS)

demo: tools
	$(PYTHON_BIN) -m demo

accuracy: tools
	$(PYTHON_BIN) -m quant accuracy

.PHONY: $(STUDIES)
$(STUDIES): tools
	$(PYTHON_BIN) -m studies $@

bench: tools
	$(PYTHON_BIN) benchmarks/golden_speed.py
	$(PYTHON_BIN) benchmarks/simulation_speed.py
	$(PYTHON_BIN) benchmarks/dlac_schedule.py

docs: .venv/.base
	$(PYTHON_BIN) -m rtl docs

clean:
	rm -rf build
