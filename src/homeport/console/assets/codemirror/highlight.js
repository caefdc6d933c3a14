import{a as t,b as a}from"./chunk-GDP6LH2I.js";import{n as s,p as u}from"./chunk-FRVTRG5M.js";async function h(r){return Object.hasOwn(a,r)?a[r]():Object.hasOwn(t,r)?(await t[r]()).language.parser:null}async function l(r,i){let e=await h(i);if(!e)return null;let n=[];return s(r,e.parse(r),u,(o,c)=>n.push([o,c]),()=>n.push([`
`,""])),n}export{l as pieces};
