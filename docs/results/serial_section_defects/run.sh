#!/bin/sh
# Fine-tune with and without serial-section defects as augmentation, and score both on clean and on defective tissue.
# From the repository's root, with sectome installed: sh docs/results/serial_section_defects/run.sh WORK [SEEDS]
set -e
work=$1
seeds=${2:-"0 1 2"}
mkdir -p "$work"
work=$(cd "$work" && pwd)

[ -e "$work/clean/train" ] || {
    sectome phantom "$work/clean/unlabelled" --shape 64,256,256 --seed 1
    sectome phantom "$work/clean/train" --shape 48,256,256 --seed 2
    for seed in 3 4 5 6; do
        [ $seed = 3 ] && part=validation || part=test
        sectome phantom "$work/clean/$part" --shape 24,192,192 --seed $seed
        sectome phantom "$work/defective/$part" --shape 24,192,192 --seed $seed --defects 0.4
    done
}

run() { # BUNDLE CONFIGS OPTIONS...
    bundle=$1 configs=$2
    shift 2
    (cd "bundles/$bundle" && python -m monai.bundle run --config_file "$configs" "$@")
}

[ -e "$work/mae/model.pt" ] || run mae_pretrain "['configs/train.json','configs/datasets/phantom.json']" \
    --dataset_dir "$work/clean" --output_dir "$work/mae" --ckpt_dir "$work/mae" \
    --epochs 9 --epoch_length 100 --val_interval 9 --val_crops 16 --batch_size 8 --warmup_steps 50

compare() { # SEED AUGMENTATION OVERLAYS
    out="$work/$2_$1"
    run em_segmentation "['configs/train.json','configs/datasets/phantom.json'$3]" --dataset_dir "$work/clean" \
        --output_dir "$out" --ckpt_dir "$out" --pretrained "$work/mae/model.pt" --seed "$1" \
        --epochs 15 --epoch_length 100 --val_interval 5 --val_crops 8 --batch_size 1
    for tissue in clean defective; do
        run em_segmentation "['configs/train.json','configs/evaluate.json','configs/datasets/phantom.json']" \
            --dataset_dir "$work/$tissue" --output_dir "$out/$tissue" --ckpt_dir "$out"
    done
}

for seed in $seeds; do
    compare "$seed" plain "" &
    compare "$seed" defects ",'configs/augmentation/serial_sections.json'" &
    wait
done
python docs/results/serial_section_defects/collect.py "$work" > docs/results/serial_section_defects/scores.csv
